import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { firstEntry, readArchive } from "../../../components/provision/archive";

describe("a release archive on this machine", () => {
    const directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-archive-"));
    const path = join(directory, "etcd.tar.gz");
    const sha256 = createHash("sha256").update("etcd").digest("hex");
    writeFileSync(path, "etcd");
    after(() => rmSync(directory, { recursive: true }));

    it("is read when it is the one that is wanted, however its digest is written", async () => {
        assert.equal((await readArchive({ path, sha256 })).toString(), "etcd");
        assert.equal((await readArchive({ path, sha256: sha256.toUpperCase() })).toString(), "etcd");
    });

    it("is refused when it is another one, with both digests", async () => {
        await assert.rejects(readArchive({ path, sha256: "0".repeat(64) }), (error: Error) => {
            assert.match(error.message, new RegExp(`has the sha256 ${sha256}, wanted is 0{64}`));
            return true;
        });
    });

    it("is named when it is not there, or is no file", async () => {
        await assert.rejects(
            readArchive({ path: `${path}.not`, sha256 }),
            /etcd\.tar\.gz\.not" can't be read \(there is/,
        );
        await assert.rejects(readArchive({ path: directory, sha256 }), /it is a directory/);
    });

    it("tells its first entry before it is unpacked, packed or not", () => {
        const layout = join(directory, "etcd-v3.6.16-linux-arm64");
        mkdirSync(layout);
        writeFileSync(join(layout, "etcd"), randomBytes(1_000_000));
        for (const flags of ["-czf", "-cf"]) {
            execFileSync("tar", [flags, `${path}.release`, "-C", directory, "etcd-v3.6.16-linux-arm64"]);
            assert.equal(firstEntry(readFileSync(`${path}.release`)), "etcd-v3.6.16-linux-arm64/");
        }
        assert.equal(firstEntry(Buffer.from("no archive")), "");
        assert.equal(firstEntry(Buffer.from([0x1f, 0x8b, 1, 2, 3])), "");
        assert.equal(firstEntry(Buffer.alloc(0)), "");
    });
});
