import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { hostPaths } from "../../../components/host/paths";
import { act } from "../../../components/membership/act";
import type { Observer } from "../../../components/membership/observe";
import { snapshot } from "../../../components/membership/scripts";
import type { Desired } from "../../../components/membership/types";
import { found, wanted, wantedHosts } from "../adoption/found";

describe("the snapshot before a removal", () => {
    /** What the host is told that keeps it. */
    async function said(declared: Desired): Promise<string> {
        let told = "";
        const runOrThrow = (_what: string, script: string): Promise<string> => {
            told = script;
            throw new Error("enough");
        };
        const observer = {
            host: (key: string) => wantedHosts.find((host) => host.key === key),
            endpoint: () => "https://10.0.0.2:2379",
            connection: () => Promise.resolve({ runOrThrow }),
        } as unknown as Observer;
        const remove = { kind: "remove", name: "a", memberId: "1", snapshotOn: "b", because: "" } as const;
        await assert.rejects(
            act(observer, declared, found, remove, () => undefined),
            /enough/,
        );
        return told;
    }

    it("is taken with the declared release, and on a host that is declared no more with the one that it runs", async () => {
        assert.match(await said(wanted), /\/opt\/etcd\/x\/etcdctl/);
        const replaced = { ...wanted, hosts: [wantedHosts[0]!], retired: wantedHosts.slice(1) };
        assert.doesNotMatch(await said(replaced), /\/opt\/etcd\/x\//);
    });

    it("finds the release that a host runs", () => {
        const { status, stdout, stderr } = taken(SAVES);
        assert.equal(status, 0, stderr);
        assert.match(stdout, /\.db\n$/);
    });

    it("is none when it can't be read again: what was saved is gone, and the removal does not begin", () => {
        const { status, stderr, kept } = taken(
            `[ "$2" = status ] && { echo "Error: snapshot file is damaged" >&2; exit 1; }\n${SAVES}`,
        );
        assert.notEqual(status, 0);
        assert.match(stderr, /snapshot file is damaged/);
        assert.deepEqual(kept, []);
    });

    it("is none when it is not what etcd sent, though it can be read", () => {
        const { status, stderr, kept } = taken(`${SAVES}; printf S | dd of="$1" conv=notrunc status=none`);
        assert.notEqual(status, 0);
        assert.match(
            stderr,
            /what was saved is not what etcd sent: it has another sha256; check the disk that \S+ is on/,
        );
        assert.deepEqual(kept, []);
    });

    it("is none where it would take the room that etcd writes to, and says how much is wanted", () => {
        const full = taken(SAVES, 100);
        assert.notEqual(full.status, 0);
        assert.match(
            full.stderr,
            /data\.snapshots is on the disk of etcd's own data, where 100 MiB are free and 130 MiB are wanted, .*make room there/,
        );
        assert.deepEqual(full.kept, []);
        assert.equal(taken(SAVES, 131).status, 0);
    });

    const database = "saved";
    /** What etcdctl does: it saves what it is sent, and finds nothing wrong with it. */
    const SAVES = `case "$*" in *"snapshot save"*) while [ $# -gt 1 ]; do shift; done; cp "$(dirname "$0")/sent" "$1" ;; *) exit ;; esac`;

    /**
     * Runs what takes a snapshot, as on a host that runs a release with this etcdctl.
     * @param freeMiB on the disk of its data, of which 2 MiB are the database
     */
    function taken(
        etcdctl: string,
        freeMiB?: number,
    ): {
        status: number | null;
        stdout: string;
        stderr: string;
        kept: readonly string[];
    } {
        const root = mkdtempSync(join(tmpdir(), "snapshot-"));
        try {
            const paths = { ...hostPaths("tools"), current: root, pki: root, dataDir: join(root, "data") };
            const release = join(root, "3.5.35");
            mkdirSync(release);
            writeFileSync(join(root, "etcd.service"), `[Service]\nExecStart=${release}/etcd\nRestart=always\n`);
            const sum = createHash("sha256").update(database).digest();
            writeFileSync(join(release, "sent"), Buffer.concat([Buffer.from(database), sum]));
            writeFileSync(join(release, "etcdctl"), `#!/bin/sh\n${etcdctl}\n`, { mode: 0o755 });
            const input = snapshot(paths, undefined, "https://10.0.0.2:2379");
            if (freeMiB !== undefined) {
                mkdirSync(join(paths.dataDir, "member", "snap"), { recursive: true });
                writeFileSync(join(paths.dataDir, "member", "snap", "db"), Buffer.alloc(2 * 1024 * 1024));
                const answer = `Filesystem 1024-blocks Used Available\nx 0 0 ${freeMiB * 1024}`;
                writeFileSync(join(root, "df"), `#!/bin/sh\necho '${answer}'\n`, { mode: 0o755 });
            }
            const env = { ...process.env, PATH: `${root}:${process.env.PATH}` };
            const { status, stdout, stderr } = spawnSync("sh", { input, encoding: "utf8", env });
            const kept = readdirSync(`${paths.dataDir}.snapshots`).filter((name) => name.includes(".db"));
            return { status, stdout, stderr, kept };
        } finally {
            rmSync(root, { recursive: true });
        }
    }
});
