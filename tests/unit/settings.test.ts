import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { install } from "../../stacks/settings";

describe("the archive that a stack's file names", () => {
    const architecture = process.arch;
    const directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-settings-"));
    const path = (name: string): string => join(directory, `etcd-v3.6.16-linux-${name}.tar.gz`);

    before(() => {
        const lines = ["amd64", "arm64"].map((name) => `sum-of-${name}  etcd-v3.6.16-linux-${name}.tar.gz\n`);
        writeFileSync(join(directory, "SHA256SUMS"), lines.join(""));
    });

    afterEach(() => onMachine(architecture));

    after(() => rmSync(directory, { recursive: true }));

    function onMachine(arch: string): void {
        Object.defineProperty(process, "arch", { value: arch });
    }

    for (const [machine, name] of [
        ["x64", "amd64"],
        ["arm64", "arm64"],
    ] as const) {
        it(`is the one for ${name} on a machine of that kind, with or without its sum`, () => {
            onMachine(machine);
            const found = { source: "file", path: path(name), sha256: `sum-of-${name}` };
            assert.deepEqual(install({ source: "file", path: path("{arch}") }), found);
            assert.deepEqual(install({ source: "file", path: path("{arch}"), sha256: `sum-of-${name}` }), found);
        });
    }

    it("is the one that it names where it leaves nothing open", () => {
        onMachine("arm64");
        const found = { source: "file", path: path("amd64"), sha256: "sum-of-amd64" };
        assert.deepEqual(install({ source: "file", path: path("amd64") }), found);
    });
});
