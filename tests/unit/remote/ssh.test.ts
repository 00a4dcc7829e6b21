import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { Server, utils, type ServerChannel } from "ssh2";

import { isRemoteError } from "../../../components/remote/errors";
import { SshConnection } from "../../../components/remote/ssh";

describe("a host that does not do what it is asked for", () => {
    let server: Server;
    let onExec: (channel: ServerChannel) => void;

    before(async () => {
        const key = utils.generateKeyPairSync("ecdsa", { bits: 256 });
        server = new Server({ hostKeys: [key.private] }, (client) => {
            client.on("authentication", (login) => login.accept());
            client.on("session", (accept) => accept().on("exec", (take) => onExec(take())));
            client.on("error", () => {});
        });
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    });
    after(() => server.close());

    function connect(user: string): Promise<SshConnection> {
        const { port } = server.address() as AddressInfo;
        const target = { address: "127.0.0.1", port, user, password: "x", insecureSkipHostKeyCheck: true };
        return SshConnection.connect(target);
    }

    /** The error of a command that is given up. */
    async function told(user: string): Promise<string> {
        const connection = await connect(user);
        try {
            await connection.run("true", { timeoutSeconds: 0.3 });
        } catch (error) {
            assert.ok(isRemoteError(error, "command-timeout"));
            return error.message;
        } finally {
            connection.close();
        }
        return assert.fail("it does not end");
    }

    it("is told with what its login said that begins nothing, and not taken for a slow one", async () => {
        onExec = (channel) => channel.stderr.write("Autopushing login request to phone...\n");
        assert.match(
            await told("operator"),
            /not done within 0\.3 s.*; the login's shell, or sudo, did not begin it: Autopushing.*phone.*; log in there/,
        );
        assert.match(await told("root"), /; the login's shell did not begin it/);
    });

    it("is told with all that may forbid a connection behind it", async () => {
        const connection = await connect("root");
        try {
            await assert.rejects(
                connection.forward(2379),
                /AllowTcpForwarding .*\(Match\), and have PermitOpen allow it/,
            );
        } finally {
            connection.close();
        }
    });

    it("is told as before where the command runs", async () => {
        onExec = (channel) => channel.write("pulumi-etcd-script started\n");
        assert.match(await told("root"), /not done within 0\.3 s and stopped; check the host's load/);
    });
});
