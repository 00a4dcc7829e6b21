import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { Server, utils, type AuthenticationType } from "ssh2";

import { SshConnection } from "../../../components/remote/ssh";

/** Logs in, with a key and a password, to a server that wants these methods, one after the other. */
async function logIn(...wanted: readonly AuthenticationType[]): Promise<void> {
    const hostKey = utils.generateKeyPairSync("ecdsa", { bits: 256 });
    const server = new Server({ hostKeys: [hostKey.private] }, (client) => {
        const left = [...wanted];
        client.on("authentication", (login) => {
            if (login.method !== left[0]) return login.reject(left.slice(0, 1));
            const isQuestion = login.method === "publickey" && login.signature === undefined;
            if (!isQuestion) left.shift();
            if (isQuestion || left.length === 0) login.accept();
            else login.reject(left.slice(0, 1), true);
        });
        client.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const privateKey = utils.generateKeyPairSync("ed25519").private;
    const target = { address: "127.0.0.1", port, user: "root", password: "x", privateKey };
    try {
        (await SshConnection.connect({ ...target, insecureSkipHostKeyCheck: true })).close();
    } finally {
        server.close();
    }
}

describe("a login to a server that wants a key and a password", () => {
    it("gives both, in either order", async () => {
        await logIn("publickey", "password");
        await logIn("password", "publickey");
    });

    it("ends where it wants more than there is", async () => {
        const more = logIn("publickey", "password", "hostbased");
        await assert.rejects(more, /the login was refused .*the server takes hostbased/);
    });
});
