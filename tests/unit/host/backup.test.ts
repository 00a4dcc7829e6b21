import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import { removeBackup, renderBackup, type BackupSettings } from "../../../components/host/backup";
import { renderGeneration } from "../../../components/host/generation";
import { renderStage } from "../../../components/host/stage";
import { HEADER, type HostSettings } from "../../../components/host/settings";
import { certificates, settingsOf } from "./settings";

const daily: BackupSettings = { schedule: "daily", directory: "/srv/backup/etcd", keep: 14 };

function syntaxError(script: string): string {
    return spawnSync("sh", ["-n"], { input: script, encoding: "utf8" }).stderr;
}

describe("a host's backups", () => {
    const rendered = (backup: Partial<BackupSettings> = {}, changes: Partial<HostSettings> = {}) =>
        renderBackup(settingsOf(changes), { ...daily, ...backup });

    it("are files that say whose they are, and a POSIX shell script", () => {
        const { script, unit, timer } = rendered();
        for (const text of [script, unit, timer]) assert.equal(text.split("\n")[0], HEADER);
        assert.equal(syntaxError(script), "");
        assert.equal(syntaxError(removeBackup(settingsOf().paths)), "");
    });

    it("ask a member that serves clients over http alone without TLS, and one that serves both with it", () => {
        const asked = (version: string): string | undefined =>
            /--endpoints .* snapshot save/.exec(rendered({}, { isPlain: true, version }).script)?.[0];
        assert.equal(asked("3.4.23"), "--endpoints 'http://10.0.0.11:2379' snapshot save");
        assert.match(asked("3.5.35") ?? "", /^--endpoints 'https:\S+ --cacert \S+ --cert \S+ --key \S+ snapshot save$/);
    });

    it("are made when it was declared, and made up for", () => {
        const lines = rendered({ schedule: "Mon..Fri *-*-* 02:30 UTC" }).timer.split("\n");
        assert.ok(lines.includes("OnCalendar=Mon..Fri *-*-* 02:30 UTC"));
        assert.ok(lines.includes("Persistent=true"));
    });

    it("are made of a member that has joined, and may write to their directory and their note only", () => {
        const lines = rendered({ directory: "/mnt/nfs" }).unit.split("\n");
        assert.ok(lines.includes("ConditionPathExists=/etc/etcd/tools/membership.env"));
        assert.deepEqual(
            lines.filter((line) => line.startsWith("ReadWritePaths=")),
            ["ReadWritePaths=-/mnt/nfs -/var/lib/etcd-tools-backup"],
        );
        assert.ok(lines.includes("ProtectSystem=strict"));
        assert.ok(lines.includes("ExecStartPre=+/bin/sh /etc/etcd/tools/backup.sh prepare"));
    });

    it("lie where no other cluster's and no other host's lie, whatever hyphens their names have", () => {
        const where = (cluster: string, name: string) =>
            /^directory=.*$/m.exec(rendered({}, { cluster, name }).script)?.[0];
        assert.equal(where("a", "b-c"), "directory='/srv/backup/etcd/a/b-c'");
        assert.equal(where("a-b", "c"), "directory='/srv/backup/etcd/a-b/c'");
    });

    it("restart nobody: they are no part of a generation", () => {
        const digest = (backup?: BackupSettings) =>
            renderGeneration(settingsOf(backup && { backup }), certificates).digest;
        assert.equal(digest(daily), digest());
        assert.equal(digest({ ...daily, keep: 1 }), digest());
    });

    it("are staged where they are declared, and taken away where they are not", () => {
        const staged = (backup?: BackupSettings) => renderStage(settingsOf(backup && { backup }), certificates).script;
        const { script, unit, timer } = rendered();
        for (const text of [script, unit, timer]) {
            assert.ok(staged(daily).includes(text.replaceAll("'", `'\\''`)));
            assert.ok(!staged().includes(text.replaceAll("'", `'\\''`)));
        }
        assert.equal(syntaxError(staged(daily)), "");
        const lists = (text: string) => text.match(/^(?:check_ours|write_manifest)\b.*$/gm);
        const [backup, files] = [
            "/etc/etcd/tools/backup.sh",
            "'/etc/systemd/system/etcd-tools-backup.service' '/etc/systemd/system/etcd-tools-backup.timer'",
        ];
        const manifest = "write_manifest '/etc/etcd/tools/pki' '/etc/etcd/tools/firewall.nft'";
        assert.deepEqual(lists(staged())?.slice(-2), ["check_ours", manifest]);
        assert.deepEqual(lists(staged(daily))?.slice(-2), [`check_ours ${files}`, `${manifest} '${backup}' ${files}`]);
        assert.ok(staged().includes(removeBackup(settingsOf().paths)));
        assert.ok(!staged(daily).includes(removeBackup(settingsOf().paths)));
    });
});
