import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { UploadOptions } from "../../components/remote/ssh";
import type { SshTarget } from "../../components/remote/target";
import { LAB_USERS, type Lab, type LabHost } from "../../lab";
import { failure, openHosts, targetOf, withPool } from "./hosts";
import { Program } from "./program";
import { until } from "./until";

describe("An upload", () => {
    const MEGABYTES = 60;
    const bytes = randomBytes(MEGABYTES << 20);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const directory = mkdtempSync(join(tmpdir(), "upload-"));
    const file = join(directory, "file");
    let lab: Lab;
    let host: LabHost;
    before(async () => {
        writeFileSync(file, bytes);
        lab = await openHosts();
        host = lab.host("a");
    });
    beforeEach(() => host.output('rm -rf /srv/up; mkdir -p /srv/up; echo old > "/srv/up/it\'s"'));
    after(() => rmSync(directory, { recursive: true }));

    const upload = (
        options: Partial<UploadOptions> = {},
        changes: Partial<SshTarget> = {},
        to = "/srv/up/it's",
    ): Promise<void> =>
        withPool(async (pool) => {
            const connection = await pool.connect(targetOf(lab, host, changes));
            await connection.upload(file, to, { mode: 0o750, sha256, ...options });
        });
    const listing = (): Promise<string> => host.output('ls -A /srv/up; cat "/srv/up/it\'s"');

    for (const changes of [{}, { user: "admin" }, { user: "operator", sudoPassword: LAB_USERS.operator.password }]) {
        it(`puts ${MEGABYTES} MB in place as ${changes.user ?? "root"}: right sum, mode and owner, and nothing beside it`, async () => {
            const seen: number[] = [];
            await upload({ onProgress: (sent, total) => seen.push(sent / total) }, changes);
            const state = await host.output("cd /srv/up; stat -c '%a %U:%G' *; sha256sum < \"it's\"; ls -A");
            assert.equal(state, `750 root:root\n${sha256}  -\nit's\n`);
            assert.ok(seen.length > 10 && seen.every((part, index) => index === 0 || part > (seen[index - 1] ?? 1)));
            assert.equal(seen.at(-1), 1);
        });
    }

    it("of a file that is not the announced one leaves the old file, and says whose sum is wrong", async () => {
        const wanted = "0".repeat(64);
        const says = [`SHA-256 of ${file} is ${sha256}`, `expected ${wanted}`];
        await assert.rejects(upload({ sha256: wanted }), failure("upload-failed", ...says));
        assert.equal(await listing(), "it's\nold\n");
    });

    it("of a file that is not there says so", async () => {
        const missing = join(directory, "missing");
        const refused = withPool(async (pool) => {
            const connection = await pool.connect(targetOf(lab, host));
            await connection.upload(missing, "/srv/up/it's", { mode: 0o750, sha256 });
        });
        await assert.rejects(refused, failure("upload-failed", `${missing} can't be read`));
        await until("nothing is left of it", 60, async () => (await listing()) === "it's\nold\n");
    });

    it("to a full disk leaves the old file and nothing else, and says so", async () => {
        await host.output("mkdir -p /srv/small; mount -t tmpfs -o size=10m tmpfs /srv/small; echo old > /srv/small/f");
        try {
            await assert.rejects(upload({}, {}, "/srv/small/f"), failure("upload-failed", "No space left on device"));
            assert.equal(await host.output("ls -A /srv/small; cat /srv/small/f"), "f\nold\n");
        } finally {
            await host.output("umount /srv/small");
        }
    });

    it("to a directory that is not there fails, and names the path", async () => {
        await assert.rejects(
            upload({}, {}, "/srv/nowhere/f"),
            failure("upload-failed", "/srv/nowhere/f", "No such file"),
        );
    });

    it("whose process is killed leaves the old file, and after a moment nothing else", async () => {
        const program = new Program("uploadProgram.ts", {
            target: targetOf(lab, host),
            file,
            to: "/srv/up/it's",
            sha256,
        });
        await until("the upload has begun", 60, async () => /upload-/.test(await listing()));
        await program.end("SIGKILL");
        await until("nothing is left of it", 60, async () => (await listing()) === "it's\nold\n");
    });

    it("that is late is stopped, and says so", async () => {
        await assert.rejects(
            upload({ timeoutSeconds: 0.05 }),
            failure("command-timeout", "upload of /srv/up/it's", "within 0.05 s"),
        );
        await until("nothing is left of it", 60, async () => (await listing()) === "it's\nold\n");
    });
});
