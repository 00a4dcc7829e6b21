import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { types } from "@pulumi/command";

import type { CommandsProgram } from "./programs/commands";
import { Project, type Run, type StateResource } from "./project";
import { startSshAgent, type SshAgent } from "./sshAgent";
import { startSshServer, type SshServer } from "./sshServer";

type Connection = types.input.remote.ConnectionArgs;
type Resources = Readonly<Record<string, StateResource>>;

describe("a remote command", function () {
    this.timeout(120_000);

    let server: SshServer;
    let agent: SshAgent;
    let project: Project;
    let first: Run, again: Run, previewed: Run, second: Run, last: Run;
    let created: Resources, updated: Resources;
    let loginsOfFirst: number, loginsAfterAgain: number, loginsAfterPreview: number;
    let state: string;

    before(async () => {
        server = await startSshServer();
        agent = await startSshAgent(server.privateKey);
        project = await Project.open("commands.ts");
        const programs = lifeOf(server, agent);
        first = await project.up(programs.created);
        assert.equal(first.code, 0, first.text);
        loginsOfFirst = server.logins();
        created = await project.resources();
        state = await project.export();
        again = await project.up(programs.created);
        loginsAfterAgain = server.logins();
        previewed = await project.preview(programs.changed);
        loginsAfterPreview = server.logins();
        second = await project.up(programs.changed);
        assert.equal(second.code, 0, second.text);
        updated = await project.resources();
        last = await project.destroy();
    });

    after(async () => {
        project?.close();
        await agent?.stop();
        await server?.stop();
    });

    const scratch = (file: string): string => readFileSync(join(server.scratch, file), "utf8");
    const lines = (run: Run, resource: string): string[] => {
        const shown = run.diagnostics.filter((line) => line.resource === resource && line.severity.startsWith("info"));
        return shown.map(({ message }) => message);
    };

    it("gives what the command writes as stdout and stderr, without the last line's end", () => {
        assert.deepEqual(streams(created.plain), ["first\nsecond", "aside"]);
    });

    it("takes standard input", () => {
        assert.deepEqual(streams(created.stdin), ["given on\nstdin", ""]);
    });

    it("sets the environment", () => {
        assert.deepEqual(streams(created.environment), ["hello, you", ""]);
    });

    it("shows the output as it comes, and only what logging asks for", () => {
        assert.deepEqual(lines(first, "plain").sort(), ["aside", "first", "second"]);
        assert.deepEqual(lines(first, "loggedStdout"), ["to stdout"]);
        assert.deepEqual(lines(first, "loggedStderr"), ["to stderr"]);
        assert.deepEqual(lines(first, "unlogged"), []);
        assert.deepEqual(streams(created.unlogged), ["to stdout", "to stderr"]);
    });

    it("logs in with an encrypted key, through an agent, and through a bastion", () => {
        for (const name of ["encryptedKey", "agent", "bastion"]) assert.deepEqual(streams(created[name]), [name, ""]);
    });

    it("fills in the connection's defaults", () => {
        const { port, user, dialErrorLimit, perDialTimeout } = connectionOf(created.plain);
        assert.deepEqual([port, user, dialErrorLimit, perDialTimeout], [server.port, server.user, 10, 15]);
    });

    it("does nothing when nothing changed", () => {
        assert.equal(again.code, 0, again.text);
        assert.equal(loginsAfterAgain, loginsOfFirst);
        for (const name of Object.keys(created)) assert.ok(["same", undefined].includes(again.step(name)), name);
    });

    it("previews changes without touching the host", () => {
        assert.equal(previewed.code, 0, previewed.text);
        assert.equal(loginsAfterPreview, loginsAfterAgain);
        assert.equal(previewed.step("life"), "update");
        assert.equal(previewed.step("triggered"), "replace");
    });

    it("runs `update` when an input changed, with the last output in its environment", () => {
        assert.equal(second.step("life"), "update");
        assert.deepEqual(streams(updated.life), ["updated after [created]", "and [noise]"]);
        assert.equal(updated.life?.id, created.life?.id);
    });

    it("runs `create` again when an input changed and there is no `update`", () => {
        assert.equal(second.step("repeated"), "update");
        assert.deepEqual(streams(updated.repeated), ["run 2", ""]);
        assert.equal(scratch("repeated"), "run 1\nrun 2\n");
    });

    it("keeps the last output when an input changed and there is nothing to run", () => {
        assert.equal(second.step("idle"), "update");
        assert.deepEqual(streams(updated.idle), ["", ""]);
    });

    it("keeps the last output out of the environment when told so", () => {
        assert.deepEqual(streams(updated.forgetful), ["after []", ""]);
    });

    it("is updated, not replaced, when its connection changed", () => {
        assert.equal(second.step("moved"), "update");
        assert.deepEqual(streams(updated.moved), ["moved", ""]);
    });

    it("is replaced when a trigger changed: `create` of the new one, then `delete` of the old one", () => {
        assert.equal(second.step("triggered"), "replace");
        assert.notEqual(updated.triggered?.id, created.triggered?.id);
        assert.equal(scratch("triggered"), "create one\ncreate two\ndelete one\n" + "delete two\n");
        assert.ok(
            second.differences("triggered").some((path) => path.startsWith("triggers")),
            second.text,
        );
    });

    it("runs `delete` when it is taken out of the program, with the last output in its environment", () => {
        assert.equal(second.step("dropped"), "delete");
        assert.equal(scratch("dropped"), "deleted after [kept]\n");
    });

    it("runs `delete` on destroy, with standard input, and nothing where there is none", () => {
        assert.equal(last.code, 0, last.text);
        assert.equal(scratch("life"), "deleted after [updated after [created]] with [more]\n");
        assert.equal(scratch("repeated"), "run 1\nrun 2\n");
    });

    it("keeps the connection and secret inputs out of the state's plain text", () => {
        assert.ok(!state.includes(server.privateKey.split("\n")[1] ?? ""), "the private key is in the state");
        assert.ok(!state.includes("do not tell"), "the secret stdin is in the state");
        assert.deepEqual(streams(created.secretStdin), ["11", ""]);
    });
});

function lifeOf(server: SshServer, agent: SshAgent): Record<"created" | "changed", CommandsProgram> {
    const { port, user, hostKey } = server;
    const host: Connection = { host: "127.0.0.1", port, user, hostKey };
    const connection: Connection = { ...host, privateKey: server.privateKey };
    const both = "echo to stdout; echo to stderr >&2";
    const file = (name: string): string => join(server.scratch, name);
    const steady: CommandsProgram = {
        plain: { connection, create: "echo first; echo aside >&2; echo second" },
        stdin: { connection, create: "cat", stdin: "given on\nstdin" },
        secretStdin: { connection, create: "wc -c", secretStdin: "do not tell" },
        environment: {
            connection,
            create: 'echo "$GREETING"',
            environment: { GREETING: "hello, you" },
        },
        loggedStdout: { connection, create: both, logging: "stdout" },
        loggedStderr: { connection, create: both, logging: "stderr" },
        unlogged: { connection, create: both, logging: "none" },
        encryptedKey: {
            connection: { ...host, privateKey: server.encryptedKey, privateKeyPassword: server.passphrase },
            create: "echo encryptedKey",
        },
        agent: { connection: { ...host, agentSocketPath: agent.socket }, create: "echo agent" },
        bastion: {
            connection: { ...connection, proxy: connection as types.input.remote.ProxyConnectionArgs },
            create: "echo bastion",
        },
    };
    const changing = (late: boolean): CommandsProgram => ({
        life: {
            connection,
            create: "echo created; echo noise >&2",
            update: 'echo "updated after [$PULUMI_COMMAND_STDOUT]"; echo "and [$PULUMI_COMMAND_STDERR]" >&2',
            delete: `echo "deleted after [$PULUMI_COMMAND_STDOUT] with [$(cat)]" >> ${file("life")}`,
            stdin: late ? "more" : "",
        },
        repeated: {
            connection,
            create: `echo run $(($(cat ${file("repeated")} 2>/dev/null | wc -l) + 1)) | tee -a ${file("repeated")}`,
            environment: { GREETING: late ? "b" : "a" },
        },
        idle: { connection, delete: late ? "true" : ":" },
        forgetful: {
            connection,
            create: "echo created",
            update: 'echo "after [$PULUMI_COMMAND_STDOUT]"',
            addPreviousOutputInEnv: false,
            stdin: late ? "more" : "",
        },
        moved: {
            connection: late ? { ...connection, dialErrorLimit: 3 } : connection,
            create: "echo came",
            update: "echo moved",
        },
        triggered: {
            connection,
            create: `echo create ${late ? "two" : "one"} >> ${file("triggered")}`,
            update: `echo update >> ${file("triggered")}`,
            delete: `echo delete ${late ? "two" : "one"} >> ${file("triggered")}`,
            triggers: ["fixed", { version: late ? 2 : 1 }],
        },
    });
    const dropped: CommandsProgram = {
        dropped: {
            connection,
            create: "echo kept",
            delete: `echo "deleted after [$PULUMI_COMMAND_STDOUT]" >> ${file("dropped")}`,
        },
    };
    return { created: { ...steady, ...changing(false), ...dropped }, changed: { ...steady, ...changing(true) } };
}

function streams(resource: StateResource | undefined): unknown[] {
    return [resource?.outputs.stdout, resource?.outputs.stderr].map((value) => String(value).trim());
}

function connectionOf(resource: StateResource | undefined): Connection {
    const secret = resource?.inputs.connection as { plaintext: string };
    return JSON.parse(secret.plaintext) as Connection;
}
