import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { Server, utils, type AuthenticationType, type Connection } from "ssh2";

import { SshConnection } from "../../../components/remote/ssh";

/** Logs in, with a key and a password, to a server that wants these methods, one after the other. */
function logIn(...wanted: readonly AuthenticationType[]): Promise<void> {
    return logInTo((client) => {
        const left = [...wanted];
        client.on("authentication", (login) => {
            if (login.method !== left[0]) return login.reject(left.slice(0, 1));
            const isQuestion = login.method === "publickey" && login.signature === undefined;
            if (!isQuestion) left.shift();
            if (isQuestion || left.length === 0) login.accept();
            else login.reject(left.slice(0, 1), true);
        });
    });
}

async function logInTo(serve: (client: Connection) => void): Promise<void> {
    const hostKey = utils.generateKeyPairSync("ecdsa", { bits: 256 });
    const server = new Server({ hostKeys: [hostKey.private] }, (client) => {
        serve(client);
        client.on("error", () => {});
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    // Of the ed25519 keys that ssh2 makes, one in two hundred can't be read.
    const privateKey = utils.generateKeyPairSync("ecdsa", { bits: 256 }).private;
    const target = { address: "127.0.0.1", port, user: "root", password: "x", privateKey };
    try {
        (await SshConnection.connect({ ...target, insecureSkipHostKeyCheck: true })).close();
    } finally {
        server.close();
    }
}

/** What ssh2's server has no function for: SSH_MSG_DISCONNECT (1) with a reason (2, a protocol error) and words. */
function disconnect(client: Connection, words: string): void {
    const { _protocol: protocol } = client as unknown as { _protocol: Protocol };
    const { write } = protocol._packetRW;
    const packet = write.alloc(13 + words.length);
    const message = Buffer.alloc(13 + words.length);
    message.writeUInt8(1, 0);
    message.writeUInt32BE(2, 1);
    message.writeUInt32BE(words.length, 5);
    message.write(words, 9);
    message.copy(packet, write.allocStart);
    protocol._cipher.encrypt(write.finalize(packet));
}

interface Protocol {
    readonly _packetRW: {
        readonly write: { readonly allocStart: number; alloc(size: number): Buffer; finalize(packet: Buffer): Buffer };
    };
    readonly _cipher: { encrypt(packet: Buffer): void };
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

describe("a login that the server ends after too many tries", () => {
    it("says so, and what each of an agent's keys costs", async () => {
        const login = logInTo((client) =>
            client.on("authentication", () => disconnect(client, "Too many authentication failures")),
        );
        await assert.rejects(
            login,
            /the login was refused .*after too many tries \(MaxAuthTries\), .*an agent with that key alone; check the user/,
        );
    });

    it("is no other login that is refused", async () => {
        await assert.rejects(logIn("hostbased"), (error: Error) => !error.message.includes("MaxAuthTries"));
    });
});
