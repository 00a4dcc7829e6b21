import assert from "node:assert/strict";

import type { types } from "@pulumi/command";

import { startFlakyForwarder, type FlakyForwarder } from "./flakyForwarder";
import { startPasswordServer, type PasswordServer } from "./passwordServer";
import type { CommandsProgram } from "./programs/commands";
import { Project, type Run, type StateResource } from "./project";
import { freePort, startSshServer, type SshServer } from "./sshServer";

describe("a remote command that fails", function () {
    this.timeout(120_000);

    let server: SshServer;
    let forwarders: Record<"patient" | "unlimited" | "impatient", FlakyForwarder>;
    let passwordServers: readonly PasswordServer[];
    let project: Project;
    let first: Run, second: Run, last: Run;
    let created: Readonly<Record<string, StateResource>>;
    let left: Readonly<Record<string, StateResource>>;
    let remaining: Readonly<Record<string, StateResource>>;

    before(async () => {
        server = await startSshServer("GREETING");
        const flaky = (): Promise<FlakyForwarder> => startFlakyForwarder(server.port, 3);
        forwarders = { patient: await flaky(), unlimited: await flaky(), impatient: await flaky() };
        passwordServers = [await startPasswordServer("password"), await startPasswordServer("keyboard-interactive")];
        const { port, user, hostKey, privateKey } = server;
        const connection = { host: "127.0.0.1", port, user, hostKey, privateKey };
        const deadPort = await freePort();
        const through = (forwarder: FlakyForwarder, dialErrorLimit: number) => ({
            ...connection,
            port: forwarder.port,
            dialErrorLimit,
        });
        const byPassword = ({ port, password }: PasswordServer): types.input.remote.ConnectionArgs => ({
            host: "127.0.0.1",
            port,
            user,
            password,
        });
        const [plain, interactive] = passwordServers as [PasswordServer, PasswordServer];
        const failing: CommandsProgram = {
            exits: { connection, create: "echo partial; echo broken >&2; exit 7" },
            wrongHostKey: {
                connection: { ...connection, hostKey: server.foreignKey, dialErrorLimit: 1 },
                create: "true",
            },
            wrongKey: {
                connection: { ...connection, privateKey: server.strangerKey, dialErrorLimit: 1 },
                create: "true",
            },
            wrongPassphrase: {
                connection: { ...connection, privateKey: server.encryptedKey, privateKeyPassword: "wrong" },
                create: "true",
            },
            wrongPassword: {
                connection: { ...byPassword(plain), password: "wrong", dialErrorLimit: 1 },
                create: "true",
            },
            nobodyListens: { connection: { ...connection, port: deadPort, dialErrorLimit: 3 }, create: "true" },
            deadBastion: {
                connection: { ...connection, proxy: { ...connection, port: deadPort, dialErrorLimit: 1 } },
                create: "true",
            },
            impatient: { connection: through(forwarders.impatient, 2), create: "true" },
            refusedVariable: { connection, create: "echo ran", environment: { REFUSED: "x" } },
        };
        const succeeding: CommandsProgram = {
            patient: { connection: through(forwarders.patient, 3), create: "echo patient" },
            unlimited: { connection: through(forwarders.unlimited, -1), create: "echo unlimited" },
            uncheckedHostKey: { connection: { host: "127.0.0.1", port, user, privateKey }, create: "echo unchecked" },
            password: { connection: byPassword(plain), create: "true" },
            interactive: { connection: byPassword(interactive), create: "true" },
        };
        const survivor = { connection, create: "echo one" };
        const stuck = { connection, create: "echo here", delete: "echo no way >&2; exit 4" };
        project = await Project.open("commands.ts");
        first = await project.up({ ...failing, ...succeeding, survivor, stuck }, "--continue-on-error");
        created = await project.resources();
        second = await project.up({ survivor: { ...survivor, update: "echo two; exit 3" }, stuck });
        left = await project.resources();
        last = await project.destroy();
        remaining = await project.resources();
    });

    after(async () => {
        project?.close();
        for (const forwarder of Object.values(forwarders ?? {})) await forwarder.stop();
        for (const passwordServer of passwordServers ?? []) await passwordServer.stop();
        await server?.stop();
    });

    const errorOf = (run: Run, resource: string): string =>
        run.diagnostics
            .filter((line) => line.resource === resource && line.severity === "error")
            .map(({ message }) => message)
            .join("\n");

    it("fails the run, says how the command ended, and shows what it wrote", () => {
        assert.notEqual(first.code, 0);
        const message = errorOf(first, "exits");
        assert.match(message, /Process exited with status 7: running "echo partial; echo broken >&2; exit 7":/);
        assert.match(message, /^partial$/m);
        assert.match(message, /^broken$/m);
    });

    it("does not make the resource", () => {
        for (const name of ["exits", "wrongHostKey", "wrongKey", "nobodyListens"]) {
            assert.equal(created[name], undefined, name);
        }
    });

    it("refuses a host that shows another key than the expected one", () => {
        assert.match(
            errorOf(first, "wrongHostKey"),
            /after 1 failed attempts: ssh: handshake failed: ssh: host key mismatch/,
        );
    });

    it("accepts any host key when none is expected", () => {
        assert.equal(created.uncheckedHostKey?.outputs.stdout, "unchecked");
    });

    it("says that a login was refused", () => {
        const refused = /after 1 failed attempts: ssh: handshake failed: ssh: unable to authenticate/;
        assert.match(errorOf(first, "wrongKey"), refused);
        assert.match(errorOf(first, "wrongPassword"), refused);
        assert.match(errorOf(first, "wrongPassphrase"), /decryption password incorrect/);
    });

    it("logs in by password, asked for in either way", () => {
        assert.equal(created.password?.outputs.stdout, "password");
        assert.equal(created.interactive?.outputs.stdout, "keyboard-interactive");
    });

    it("gives up after as many dials as dialErrorLimit says, and one more", () => {
        assert.match(errorOf(first, "nobodyListens"), /after 3 failed attempts: .*connection refused/);
        assert.match(errorOf(first, "impatient"), /after 2 failed attempts/);
        assert.equal(forwarders.impatient.connections(), 3);
    });

    it("dials again until then, and without end when the limit is -1", () => {
        assert.equal(created.patient?.outputs.stdout, "patient");
        assert.equal(forwarders.patient.connections(), 4);
        assert.equal(created.unlimited?.outputs.stdout, "unlimited");
        assert.equal(forwarders.unlimited.connections(), 4);
    });

    it("runs without what the last run wrote where the server refuses that, and warns", () => {
        const warnings = second.diagnostics.filter(({ severity }) => severity === "warning");
        assert.deepEqual(
            warnings.map(({ resource }) => resource),
            ["survivor"],
        );
        assert.match(warnings[0]!.message, /Unable to set 'PULUMI_COMMAND_STDOUT'[^]*AcceptEnv/);
    });

    it("does not run without a variable that the server refuses", () => {
        const message = errorOf(first, "refusedVariable");
        assert.match(message, /Unable to set 'REFUSED'/);
        assert.match(message, /could not set environment variable "REFUSED"/);
        assert.equal(created.refusedVariable, undefined);
    });

    it("goes through the bastion or not at all", () => {
        assert.match(errorOf(first, "deadBastion"), /proxy: .*connection refused/);
    });

    it("keeps the state of before when an update fails", () => {
        assert.match(errorOf(second, "survivor"), /Process exited with status 3: running "echo two; exit 3":\s+two/);
        assert.deepEqual(left.survivor, created.survivor);
    });

    it("keeps a resource whose delete fails", () => {
        assert.notEqual(last.code, 0);
        assert.match(errorOf(last, "stuck"), /Process exited with status 4: [^]*no way/);
        assert.deepEqual(remaining.stuck?.outputs, created.stuck?.outputs);
    });
});
