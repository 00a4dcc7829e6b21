import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";

import type { ConnectionPool } from "../../components/remote/connectionPool";
import { isRemoteError, RemoteCommandError } from "../../components/remote/errors";
import type { SshConnection } from "../../components/remote/ssh";
import { describeTarget, type SshTarget } from "../../components/remote/target";
import { LAB_USERS, type Lab, type LabHost } from "../../lab";
import { failure, openHosts, targetOf, withPool } from "./hosts";
import { Program } from "./program";
import { until } from "./until";

describe("An SSH connection", () => {
    let lab: Lab;
    let host: LabHost;
    before(async () => {
        lab = await openHosts();
        host = lab.host("a");
    });

    const { password } = LAB_USERS.operator;
    const logins: readonly (readonly [string, Partial<SshTarget>])[] = [
        ["root", { user: "root" }],
        ["a user with sudo", { user: "admin" }],
        ["a user whose sudo asks for a password", { user: "operator", sudoPassword: password }],
        [
            "a user with a password for all",
            { user: "operator", privateKey: undefined, password, sudoPassword: password },
        ],
        ["a user who gives a password that sudo does not ask for", { user: "admin", sudoPassword: "not needed" }],
    ];

    for (const [who, changes] of logins) {
        describe(`of ${who}`, () => {
            const target = (): SshTarget => targetOf(lab, host, changes);
            const connected = <T>(use: (connection: SshConnection) => Promise<T>): Promise<T> =>
                withPool(async (pool) => use(await pool.connect(target())));

            it("runs a script as root, with its stdin, and tells its output and exit code apart", async () => {
                const seen = await connected((c) => c.run("id -un; cat; echo trouble >&2; exit 3", { stdin: "in\n" }));
                assert.deepEqual(seen, { stdout: "root\nin\n", stderr: "trouble\n", code: 3 });
            });

            it("gives a script 10 MB of any bytes, and takes as many back", async () => {
                const bytes = randomBytes(10 << 20);
                const sum = createHash("sha256").update(bytes).digest("hex");
                const { text, back } = await connected(async (c) => ({
                    text: await c.runOrThrow("take a sum", "sha256sum", { stdin: bytes }),
                    back: await c.runOrThrow("give it back", "base64 -w0", { stdin: bytes }),
                }));
                assert.equal(text, `${sum}  -\n`);
                assert.ok(Buffer.from(back, "base64").equals(bytes));
            });

            it("runs many scripts at once, each with its own output", async () => {
                const numbers = Array.from({ length: 40 }, (_, index) => index);
                const seen = await connected((c) =>
                    Promise.all(numbers.map((n) => c.runOrThrow("count", `cat; echo ${n}`, { stdin: `in ${n} ` }))),
                );
                assert.deepEqual(
                    seen,
                    numbers.map((n) => `in ${n} ${n}\n`),
                );
            });

            it("ends a script on the host when its time is over", async () => {
                const mark = `9${Math.floor(Math.random() * 1e8)}`;
                const isRunning = async (): Promise<boolean> =>
                    (await host.run(`pgrep -f '[s]leep ${mark}'`)).code === 0;
                const run = connected((c) => c.run(`sleep ${mark}`, { timeoutSeconds: 1 }));
                const refused = assert.rejects(run, failure("command-timeout", "within 1 s", describeTarget(target())));
                await until("the script runs", 60, isRunning);
                await refused;
                await until("the script is gone", 60, async () => !(await isRunning()));
            });

            it("shows nobody the script, its stdin or a password", async () => {
                const secret = `secret${randomBytes(8).toString("hex")}`;
                const words = [secret, ...(changes.sudoPassword === undefined ? [] : [changes.sudoPassword])];
                const search = `words=$(mktemp); cat > "$words"
                    cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -F -f "$words"`;
                const seen = await connected(async (c) => {
                    let said = "";
                    const channel = await c.open(`word=${secret}; cat`, (text) => (said += text));
                    await channel.write(`${secret}\n`);
                    await until("the script has its stdin", 60, () => said === `${secret}\n`);
                    const found = await host.run(search, { stdin: `${words.join("\n")}\n` });
                    channel.end();
                    return found.stdout;
                });
                assert.equal(seen, "");
            });
        });
    }

    it("runs as the user itself when asked to", async () => {
        const target = targetOf(lab, host, { user: "operator" });
        const seen = await withPool(async (pool) => (await pool.connect(target)).run("id -un", { asRoot: false }));
        assert.equal(seen.stdout, "operator\n");
    });

    it("is not held up by a script that does not want its stdin", async () => {
        await withPool(async (pool) => {
            const connection = await pool.connect(targetOf(lab, host));
            const seen = await connection.run("exit 7", { stdin: Buffer.alloc(10 << 20) });
            assert.equal(seen.code, 7);
        });
    });

    it("tells by which signal a script ended, and what the shell says of a script with an error", async () => {
        await withPool(async (pool) => {
            const connection = await pool.connect(targetOf(lab, host));
            assert.equal((await connection.run("kill -KILL $$")).code, 128 + 9);
            const { code, stderr } = await connection.run("echo begun\nif true; then");
            assert.equal(code, 2);
            assert.match(stderr, /Syntax error/);
        });
    });

    it("keeps a login shell's own talk out of a script's output", async () => {
        const talk = "echo shell says hello; echo and trouble >&2\n";
        await host.output("cp /home/admin/.bashrc /root/bashrc.kept");
        await host.writeFile("/home/admin/.bashrc", talk + (await host.readFile("/root/bashrc.kept")));
        try {
            const seen = await withPool(async (pool) =>
                (await pool.connect(targetOf(lab, host, { user: "admin" }))).run("echo mine"),
            );
            assert.deepEqual(seen, { stdout: "mine\n", stderr: "", code: 0 });
        } finally {
            await host.output("cp /root/bashrc.kept /home/admin/.bashrc");
        }
    });

    it("tells a script that fails by what it was to do, its exit code and its last words", async () => {
        const run = withPool(async (pool) =>
            (await pool.connect(targetOf(lab, host))).runOrThrow(
                "make the tea",
                "echo no milk >&2; echo no sugar >&2; exit 4",
            ),
        );
        await assert.rejects(run, (error) => {
            assert.ok(error instanceof RemoteCommandError && isRemoteError(error, "command-failed"));
            assert.equal(
                error.message,
                `root@${host.address}: make the tea: failed with exit code 4: no milk; no sugar`,
            );
            assert.equal(error.exitCode, 4);
            return true;
        });
    });

    it("is shared by all who ask for it, at the same time or later", async () => {
        const users = "ss -Htn state established 'sport = :22' | wc -l";
        await until("no connection is left from before", 60, async () => (await host.output(users)).trim() === "0");
        await withPool(async (pool) => {
            const all = await Promise.all(Array.from({ length: 10 }, () => pool.connect(targetOf(lab, host))));
            assert.equal(new Set([...all, await pool.connect(targetOf(lab, host))]).size, 1);
            assert.equal((await host.output(users)).trim(), "1");
        });
    });

    it("is made anew when it died", async () => {
        await withPool(async (pool: ConnectionPool) => {
            const first = await pool.connect(targetOf(lab, host));
            const broken = assert.rejects(first.run("sleep 100"), failure("connection-lost", "the connection broke"));
            await host.output(
                "kill $(ss -Htnp state established 'sport = :22' | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u)",
            );
            await broken;
            await until("the connection is known to be dead", 60, () => !first.isAlive);
            const second = await pool.connect(targetOf(lab, host));
            assert.equal((await second.run("echo alive")).stdout, "alive\n");
        });
    });

    it("keeps no process alive that has nothing more to do", async () => {
        const program = new Program("idleProgram.ts", { target: targetOf(lab, host) });
        const code = await program.exited;
        assert.deepEqual({ code, output: program.output }, { code: 0, output: "ran\n" });
    });

    it("leads to a port of the host", async () => {
        await withPool(async (pool) => {
            const connection = await pool.connect(targetOf(lab, host));
            const stream = await connection.forward(22);
            const banner = await new Promise<Buffer>((resolve) => stream.once("data", resolve));
            stream.destroy();
            assert.match(banner.toString(), /^SSH-2\.0-OpenSSH/);
            await assert.rejects(connection.forward(4), failure("port-closed", `${host.address} port 4`));
        });
    });

    it("goes through a bastion, whose host key is checked as well", async () => {
        const behind = lab.host("b");
        const bastion = targetOf(lab, host, { user: "admin" });
        await withPool(async (pool) => {
            const connection = await pool.connect(targetOf(lab, behind, { bastion }));
            assert.equal(
                await connection.runOrThrow("name", "hostname; echo $SSH_CLIENT"),
                `b\n${host.address} ${await clientPorts(connection)}\n`,
            );
        });
        const impostor = { ...bastion, hostKeys: [behind.publicHostKey] };
        await assert.rejects(
            withPool((pool) => pool.connect(targetOf(lab, behind, { bastion: impostor }))),
            failure("host-key-mismatch", `admin@${host.address}`),
        );
        await assert.rejects(
            withPool((pool) => pool.connect(targetOf(lab, behind, { bastion, port: 4 }))),
            failure("refused", `root@${behind.address}:4`, "bastion"),
        );
    });
});

async function clientPorts(connection: SshConnection): Promise<string> {
    const words = (await connection.runOrThrow("ports", "echo $SSH_CLIENT")).trim().split(" ");
    return words.slice(1).join(" ");
}
