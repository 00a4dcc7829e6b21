import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { packageVersion } from "../../toolchain/engine";
import type { Unserved } from "./programs/unserved";
import { Project } from "./project";
import { startSshServer, type SshServer } from "./sshServer";

/** Only for our own plugins: what they refuse, and what the official ones do not promise. */
if (pluginsInUse().every((schema) => schema.includes("stand-in"))) {
    describe("the stand-in plugins", function () {
        this.timeout(120_000);

        const refusals: Readonly<Record<Unserved, RegExp>> = {
            localCommand:
                /resource type "command:local:Command" is not supported .* serves only command:remote:Command/,
            copyToRemote: /resource type "command:remote:CopyToRemote" is not supported/,
            localRun: /function "command:local:run" is not supported/,
            publicKey: /function "tls:index\/getPublicKey:getPublicKey" is not supported/,
            proxy: /configuration 'proxy' is not supported .* serves only .*tls:index\/privateKey:PrivateKey/,
            writeOnlyKey: /'privateKeyPemWo' is not supported/,
            unknownField: /connection\.colour.* Unrecognized field 'colour'/,
        };
        for (const [what, message] of Object.entries(refusals)) {
            it(`refuse ${what} by name`, async () => {
                const project = await Project.open("unserved.ts");
                try {
                    const run = await project.up(what);
                    assert.notEqual(run.code, 0, run.text);
                    assert.match(run.text.replace(/\s+/g, " "), message);
                    assert.ok(!run.text.includes("do not tell"), "the message shows a secret beside what it is about");
                } finally {
                    project.close();
                }
            });
        }

        it("give up on a host that takes connections and says nothing", async () => {
            const [silent, port] = await startSilentServer();
            const project = await Project.open("commands.ts");
            try {
                const connection = { host: "127.0.0.1", port, password: "x", perDialTimeout: 1, dialErrorLimit: 2 };
                const run = await project.up({ command: { connection, create: "true" } });
                assert.match(run.text, /after 2 failed attempts: .*deadline exceeded/);
            } finally {
                project.close();
                silent.close();
            }
        });
    });

    for (const [how, signal] of [
        ["is cancelled", "SIGINT"],
        ["is killed", "SIGKILL"],
    ] as const) {
        describe(`the stand-in plugins, when the engine ${how}`, function () {
            this.timeout(120_000);

            let server: SshServer;
            let project: Project;

            before(async () => {
                server = await startSshServer();
                project = await Project.open("commands.ts");
            });

            after(async () => {
                project?.close();
                await server?.stop();
            });

            it("end the running command's session", async () => {
                const { port, user, hostKey, privateKey } = server;
                const pids = join(server.scratch, "pids");
                const up = project.startUp({
                    long: {
                        connection: { host: "127.0.0.1", port, user, hostKey, privateKey },
                        // The session's process and its shell; it waits for ever unless its standard output is closed.
                        create: `echo $PPID > ${pids}.new; mv ${pids}.new ${pids}; while echo working; do sleep 0.1; done`,
                        logging: "none",
                    },
                });
                await until("the command runs", () => existsSync(pids));
                const session = Number(readFileSync(pids, "utf8"));
                assert.ok(isRunning(session));
                up.process.kill(signal);
                const run = await up.finished;
                assert.notEqual(run.code, 0);
                await until("the session ends", () => !isRunning(session));
            });
        });
    }
}

/** What the plugins say of themselves. Asked at once, since it decides which tests there are. */
function pluginsInUse(): string[] {
    const ask = `require(${JSON.stringify(join(__dirname, "..", "..", "toolchain"))})
        .resolveToolchain().then(({ pulumi, env }) => console.log(JSON.stringify({ pulumi, env })))`;
    const register = join(__dirname, "..", "..", "toolchain", "register.js");
    const answer = execFileSync(process.execPath, ["--require", register, "--eval", ask], {
        encoding: "utf8",
        stdio: "pipe",
    });
    const { pulumi, env } = JSON.parse(answer) as { pulumi: string; env: NodeJS.ProcessEnv };
    return ["command", "tls"].map((name) =>
        execFileSync(pulumi, ["package", "get-schema", `${name}@${packageVersion(`@pulumi/${name}`)}`], {
            env,
            encoding: "utf8",
            stdio: "pipe",
        }),
    );
}

async function startSilentServer(): Promise<[Server, number]> {
    const callers = new Set<Socket>();
    const server = createServer((caller) => callers.add(caller.on("error", () => caller.destroy())));
    server.once("close", () => callers.forEach((caller) => caller.destroy()));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return [server, (server.address() as AddressInfo).port];
}

async function until(what: string, isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!isSo()) {
        if (Date.now() > deadline) throw new Error(`waited 30 s, and still not: ${what}`);
        await pause(20);
    }
}

function isRunning(pid: number): boolean {
    try {
        return process.kill(pid, 0);
    } catch {
        return false;
    }
}
