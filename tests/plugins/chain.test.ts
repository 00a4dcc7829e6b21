import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { ChainProgram } from "./programs/chain";
import { Project, type Run } from "./project";
import { startSshServer, type SshServer } from "./sshServer";

interface Outputs {
    readonly stdout: string;
    readonly certPem: string;
}

describe("a command that is fed by a certificate that is made from a generated key", function () {
    this.timeout(120_000);

    let server: SshServer;
    let project: Project;
    let seenIn: string;
    let firstPreview: Run, first: Run, secondPreview: Run, second: Run;
    let loginsAfterPreview: number, seenInPreview: boolean, seenAfterSecondPreview: readonly string[];
    let made: Outputs, renewed: Outputs;

    const seen = (): string[] => readFileSync(seenIn, "utf8").trim().split("\n");

    before(async () => {
        server = await startSshServer();
        project = await Project.open("chain.ts");
        seenIn = join(project.directory, "seen");
        const { port, user, hostKey, privateKey } = server;
        const program = (commonName: string): ChainProgram => ({
            connection: { host: "127.0.0.1", port, user, hostKey, privateKey },
            seen: seenIn,
            commonName,
        });
        firstPreview = await project.preview(program("one"));
        loginsAfterPreview = server.logins();
        seenInPreview = existsSync(seenIn);
        first = await project.up(program("one"));
        made = await project.outputs<Outputs>();
        secondPreview = await project.preview(program("two"));
        seenAfterSecondPreview = seen();
        second = await project.up(program("two"));
        renewed = await project.outputs<Outputs>();
        await project.destroy();
    });

    after(async () => {
        project?.close();
        await server?.stop();
    });

    it("is previewed with everything unknown, without touching the host", () => {
        assert.equal(firstPreview.code, 0, firstPreview.text);
        for (const name of ["key", "certificate", "command"]) assert.equal(firstPreview.step(name), "create", name);
        assert.equal(loginsAfterPreview, 0);
        assert.ok(!seenInPreview, "the program saw an output that did not exist");
    });

    it("gets the certificate", () => {
        assert.equal(first.code, 0, first.text);
        assert.equal(made.stdout.trim(), made.certPem.trim());
        assert.equal(new X509Certificate(made.stdout).subject, "CN=one");
    });

    it("is updated after the certificate was replaced, and its output is unknown until then", () => {
        assert.equal(secondPreview.code, 0, secondPreview.text);
        for (const run of [secondPreview, second]) {
            assert.equal(run.step("certificate"), "replace");
            assert.equal(run.step("command"), "update");
        }
        assert.equal(seenAfterSecondPreview.length, 1);
        assert.equal(seen().length, 2);
        assert.equal(new X509Certificate(renewed.stdout).subject, "CN=two");
    });
});
