import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { SESSION_AGENT, type SshTarget } from "../../components/remote/target";
import { LAB_USERS, type Lab, type LabHost } from "../../lab";
import { startSshAgent } from "../plugins/sshAgent";
import { failure, openHosts, targetOf, withPool } from "./hosts";
import { withSshServer } from "./sshd";

describe("A login over SSH", () => {
    const { password } = LAB_USERS.operator;
    const directory = mkdtempSync(join(tmpdir(), "login-"));
    let lab: Lab;
    let host: LabHost;
    before(async () => {
        lab = await openHosts();
        host = lab.host("a");
    });
    after(() => rmSync(directory, { recursive: true }));

    const logIn = (changes: Partial<SshTarget> = {}): Promise<string> =>
        withPool(async (pool) => (await pool.connect(targetOf(lab, host, changes))).runOrThrow("name", "id -un"));

    /** A new key that root's login on the host accepts. */
    async function acceptedKey(type: string, format: string, passphrase: string): Promise<string> {
        const file = join(directory, `${type}-${format}-${passphrase.length}`);
        const how = format === "PEM" ? ["-m", "PEM"] : [];
        execFileSync("ssh-keygen", ["-q", "-t", type, ...how, "-N", passphrase, "-f", file]);
        await host.output("cat >> /root/.ssh/authorized_keys", { stdin: readFileSync(`${file}.pub`) });
        return readFileSync(file, "utf8");
    }

    for (const type of ["ed25519", "ecdsa", "rsa"]) {
        for (const format of type === "ed25519" ? ["OpenSSH"] : ["OpenSSH", "PEM"]) {
            it(`takes a key of type ${type} in the ${format} format`, async () => {
                assert.equal(await logIn({ privateKey: await acceptedKey(type, format, "") }), "root\n");
            });

            it(`takes one with a passphrase, and says whether that is missing or wrong (${type}, ${format})`, async () => {
                const privateKey = await acceptedKey(type, format, "open sesame");
                await assert.rejects(logIn({ privateKey }), failure("private-key-invalid", "give its passphrase"));
                const wrong = logIn({ privateKey, passphrase: "open barley" });
                await assert.rejects(wrong, failure("private-key-invalid", "the passphrase does not open"));
                assert.equal(await logIn({ privateKey, passphrase: "open sesame" }), "root\n");
            });
        }
    }

    it("takes a key from an agent, after one that the host does not know", async () => {
        const agent = await startSshAgent(lab.privateKey);
        try {
            assert.equal(await logIn({ privateKey: undefined, agentSocket: agent.socket }), "root\n");
            assert.equal(await logIn({ privateKey: unknownKey(), agentSocket: agent.socket }), "root\n");
        } finally {
            await agent.stop();
        }
        const gone = logIn({ privateKey: undefined, agentSocket: agent.socket });
        await assert.rejects(gone, failure("auth-failed", `agent ${agent.socket}`));
    });

    it("goes by the agent of whoever is logged in, whichever that is", async () => {
        const byIt = () => logIn({ privateKey: undefined, agentSocket: SESSION_AGENT });
        const before = process.env.SSH_AUTH_SOCK;
        const agent = await startSshAgent(lab.privateKey);
        try {
            process.env.SSH_AUTH_SOCK = agent.socket;
            assert.equal(await byIt(), "root\n");
            delete process.env.SSH_AUTH_SOCK;
            await assert.rejects(byIt(), failure("no-credentials", "SSH_AUTH_SOCK is not set"));
        } finally {
            if (before !== undefined) process.env.SSH_AUTH_SOCK = before;
            await agent.stop();
        }
    });

    it("gives the password to a server that only asks for it interactively", async () => {
        const settings = ["PasswordAuthentication=no", "KbdInteractiveAuthentication=yes", "PubkeyAuthentication=no"];
        const changes = { user: "operator", password, sudoPassword: password, port: 2222 };
        await withSshServer(host, 2222, settings, async () => {
            assert.equal(await logIn(changes), "root\n");
            await assert.rejects(
                logIn({ ...changes, password: "wrong" }),
                failure("auth-failed", `operator@${host.address}:2222`, "the server takes keyboard-interactive"),
            );
        });
    });

    it("gives both a key and a password to a server that wants both", async () => {
        const settings = ["AuthenticationMethods=publickey,password", "PasswordAuthentication=yes"];
        await withSshServer(host, 2222, settings, async () => {
            assert.equal(await logIn({ user: "operator", password, sudoPassword: password, port: 2222 }), "root\n");
        });
    });

    it("that is refused says who, where, what was tried and what the server takes, and no secret", async () => {
        const refused = logIn({ user: "operator", password: "wrong", privateKey: unknownKey() });
        const says = [
            `operator@${host.address}`,
            /private key ssh-ed25519 SHA256:\S+, password/,
            "takes publickey, password",
        ];
        await assert.rejects(refused, failure("auth-failed", ...says));
        await refused.catch((error: Error) => assert.ok(!/wrong|BEGIN/.test(error.message)));
    });

    it("knows a host by any of the given keys, whatever other keys the host has", async () => {
        await host.output("ssh-keygen -A");
        await withSshServer(host, 2222, [], async () => {
            for (const type of ["rsa", "ecdsa", "ed25519"]) {
                const key = await host.readFile(`/etc/ssh/ssh_host_${type}_key.pub`);
                assert.equal(await logIn({ hostKeys: [key], port: 2222 }), "root\n", type);
            }
        });
        const [wrong, right] = [lab.host("b").publicHostKey, host.publicHostKey];
        assert.equal(await logIn({ hostKeys: [wrong, right] }), "root\n");
    });

    it("is refused to a host with another key, by both fingerprints, before anything secret is sent", async () => {
        const shown = (await host.output("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")).split(" ")[1] ?? "";
        const wanted =
            (await lab.host("b").output("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")).split(" ")[1] ?? "";
        const refused = logIn({ hostKeys: [lab.host("b").publicHostKey], user: "nobody-was-told" });
        await assert.rejects(
            refused,
            failure(
                "host-key-mismatch",
                `is ssh-ed25519 ${shown}, expected ssh-ed25519 ${wanted}`,
                "put its new public key",
            ),
        );
        assert.equal((await host.run("journalctl -u ssh | grep nobody-was-told@")).stdout, "");
    });

    it("checks no key where that is asked for, loudly", async () => {
        assert.equal(await logIn({ hostKeys: undefined, insecureSkipHostKeyCheck: true }), "root\n");
    });

    it("sends not one packet when it can't succeed: no host key, nothing to log in with, an unreadable key", async () => {
        let connections = 0;
        const server = createServer(() => (connections += 1)).listen(0, "127.0.0.1");
        await new Promise((resolve) => server.once("listening", resolve));
        const { port } = server.address() as { port: number };
        const here = { address: "127.0.0.1", port };
        await assert.rejects(logIn({ ...here, hostKeys: [] }), failure("host-key-missing", "hostKeys"));
        await assert.rejects(
            logIn({ ...here, privateKey: undefined }),
            failure("no-credentials", "privateKey, password or agentSocket"),
        );
        await assert.rejects(
            logIn({ ...here, privateKey: "not a key" }),
            failure("private-key-invalid", "OpenSSH or PEM"),
        );
        const publicKey = logIn({ ...here, privateKey: host.publicHostKey });
        await assert.rejects(publicKey, failure("private-key-invalid", "is a public key"));
        const needless = logIn({ ...here, passphrase: "needless" });
        await assert.rejects(needless, failure("private-key-invalid", "is not encrypted", "leave passphrase out"));
        assert.equal(connections, 0);
        server.close();
    });

    it("says what is wrong with sudo: it wants a password, the password is wrong, the user may not, it is not there", async () => {
        const operator = { user: "operator" };
        await assert.rejects(logIn(operator), failure("sudo-refused", "sudo wants a password", "sudoPassword"));
        const before = await failedSudoTries();
        const wrong = logIn({ ...operator, sudoPassword: "wrong" });
        await assert.rejects(wrong, failure("sudo-wrong-password", `operator@${host.address}`));
        assert.equal(
            (await failedSudoTries()) - before,
            1,
            "a wrong password is tried once, lest the account be locked",
        );

        await host.output(
            "useradd --create-home --shell /bin/bash stranger; cp -r /root/.ssh /home/stranger; chown -R stranger /home/stranger",
        );
        await assert.rejects(logIn({ user: "stranger" }), failure("sudo-refused", "can't become root"));
        assert.equal(await logIn({ user: "stranger", sudo: false }), "stranger\n");

        await host.output('echo "Defaults:admin requiretty" > /etc/sudoers.d/tty');
        await assert.rejects(logIn({ user: "admin" }), failure("sudo-refused", "sudo wants a terminal", "!requiretty"));
        await host.output("rm /etc/sudoers.d/tty");

        await host.output("chmod 0 /usr/bin/sudo && mv /usr/bin/sudo /usr/bin/sudo.away");
        try {
            await assert.rejects(logIn({ user: "admin" }), failure("sudo-refused", "sudo is not installed"));
        } finally {
            await host.output("mv /usr/bin/sudo.away /usr/bin/sudo && chmod 4755 /usr/bin/sudo");
        }
    });

    it("says so when the account runs something else than our command", async () => {
        await host.output("usermod --shell /usr/sbin/nologin stranger");
        const refused = logIn({ user: "stranger", sudo: false });
        await assert.rejects(
            refused,
            failure("session-refused", "This account is currently not available", "POSIX shell"),
        );
    });

    it("says so when the SSH server opens no session, or forwards nothing", async () => {
        await withSshServer(host, 2222, ["MaxSessions=0", "AllowTcpForwarding=no"], async () => {
            await assert.rejects(logIn({ port: 2222 }), failure("session-refused", "MaxSessions"));
            const forward = withPool(async (pool) =>
                (await pool.connect(targetOf(lab, host, { port: 2222 }))).forward(22),
            );
            await assert.rejects(forward, failure("forward-refused", `${host.address} port 22`, "AllowTcpForwarding"));
        });
    });

    it("tells a closed port, a port where no SSH server answers, and a name without an address apart", async () => {
        await assert.rejects(logIn({ port: 4 }), failure("refused", "nothing listens on port 4"));
        await assert.rejects(
            logIn({ address: "no-such-host.invalid" }),
            failure("unreachable", "no-such-host.invalid"),
        );
        const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")).listen(0, "127.0.0.1");
        await new Promise((resolve) => server.once("listening", resolve));
        const { port } = server.address() as { port: number };
        await assert.rejects(logIn({ address: "127.0.0.1", port }), failure("handshake-failed", `127.0.0.1:${port}`));
        server.close();
    });

    async function failedSudoTries(): Promise<number> {
        return Number(await host.output("journalctl --no-pager | grep -c 'sudo.*authentication failure' || true"));
    }

    function unknownKey(): string {
        const file = join(directory, "unknown");
        rmSync(file, { force: true });
        rmSync(`${file}.pub`, { force: true });
        execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
        return readFileSync(file, "utf8");
    }
});
