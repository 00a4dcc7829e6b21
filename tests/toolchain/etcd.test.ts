import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import { etcdBinaries } from "../../toolchain";
import { etcdVersions } from "../../toolchain/etcd";

describe("etcd's binaries", () => {
    const minorOf = (version: string): string => version.split(".").slice(0, 2).join(".");
    const latest = new Map(etcdVersions.map((version) => [minorOf(version), version]));

    for (const [minor, version] of latest) {
        it(`are those of ${version}, with the checksums that are told`, async () => {
            const binaries = await etcdBinaries(minor);
            assert.equal(binaries.version, version);
            const told = (path: string, ...args: string[]): string => execFileSync(path, args, { encoding: "utf8" });
            assert.match(told(binaries.etcd.path, "--version"), new RegExp(`^etcd Version: ${version}$`, "m"));
            assert.match(told(binaries.etcdctl.path, "version"), new RegExp(`^etcdctl version: ${version}$`, "m"));
            assert.match(told(binaries.etcdutl.path, "version"), new RegExp(`^etcdutl version: ${version}$`, "m"));
            for (const { path, sha256 } of [binaries.etcd, binaries.etcdctl, binaries.etcdutl]) {
                assert.equal(createHash("sha256").update(readFileSync(path)).digest("hex"), sha256);
            }
        });
    }

    it("are refused for a version that can't be built, naming those that can", async () => {
        await assert.rejects(
            etcdBinaries("3.4"),
            /etcd 3\.4 can't be built here: use one of 3\.5\.\d+, 3\.6\.\d+, .*3\.7\.\d+/,
        );
    });
});
