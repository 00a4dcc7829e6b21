import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { renderUnit } from "../../../components/host/unit";
import { settingsOf } from "./settings";

describe("the etcd unit", () => {
    const lines = (...args: Parameters<typeof settingsOf>) => renderUnit(settingsOf(...args)).split("\n");

    it("starts the binary of the declared release with the current generation's environment", () => {
        const unit = lines({ releaseDir: "/opt/etcd/3.6.16-0123456789ab" });
        assert.ok(unit.includes("ExecStart=/opt/etcd/3.6.16-0123456789ab/etcd"));
        assert.ok(unit.includes("EnvironmentFile=/etc/etcd/tools/current/etcd.env"));
        assert.ok(unit.includes("EnvironmentFile=/etc/etcd/tools/membership.env"));
    });

    it("has no proxy that a host's systemd gives to all services, through which members would call each other", () => {
        const unset = lines().find((line) => line.startsWith("UnsetEnvironment="))!;
        for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"])
            assert.ok(unset.split(/[= ]/).includes(name), name);
    });

    it("waits for the firewall only where there is one, and never goes down with it", () => {
        assert.ok(lines().includes("After=etcd-tools-firewall.service"));
        assert.ok(lines().includes("AssertPathExists=/run/etcd-tools-firewall"));
        assert.equal(
            lines({ firewall: false }).some((line) => line.includes("firewall")),
            false,
        );
        assert.equal(
            lines().some((line) => /^(Requires|BindsTo|PartOf)=/.test(line)),
            false,
        );
    });

    it("does not start without data, unless membership said so", () => {
        const guard = lines().find((line) => line.startsWith("ExecStartPre=+"));
        assert.match(
            guard!,
            /if \( set -- \/var\/lib\/etcd\/tools\/member\/wal\/\*\.wal; \[ -e "\$\$1" \] \);.*\[ -e \/etc\/etcd\/tools\/may-start-empty \].*exit 1/,
        );
    });

    it("starts with a log whatever the membership file says, and without one only where that says something", () => {
        const place = mkdtempSync(join(tmpdir(), "unit-"));
        try {
            const [dataDir, mayStartEmpty, membershipEnv] = ["data", "may", "env"].map((name) => join(place, name));
            const paths = {
                ...settingsOf().paths,
                dataDir: dataDir!,
                mayStartEmpty: mayStartEmpty!,
                membershipEnv: membershipEnv!,
            };
            const unit = lines({ paths });
            assert.ok(unit.includes(`ConditionPathExists=${membershipEnv}`), "an empty file must not keep it");
            const guard = /^ExecStartPre=\+\/bin\/sh -c '(.*)'$/
                .exec(unit.find((line) => line.startsWith("ExecStartPre=+"))!)![1]!
                .replaceAll("$$", () => "$");
            const check = (): string => spawnSync("sh", ["-c", guard], { encoding: "utf8" }).stderr;
            writeFileSync(membershipEnv!, "");
            assert.match(check(), /there is no etcd data/);
            writeFileSync(mayStartEmpty!, "");
            assert.match(check(), /env is empty/);
            assert.ok(existsSync(mayStartEmpty!));
            writeFileSync(membershipEnv!, "ETCD_INITIAL_CLUSTER=a");
            assert.equal(check(), "");
            const log = join(dataDir!, "member/wal/0.wal");
            mkdirSync(dirname(log), { recursive: true });
            writeFileSync(log, "");
            writeFileSync(membershipEnv!, "");
            assert.equal(check(), "");
            assert.equal(existsSync(mayStartEmpty!), false);
        } finally {
            rmSync(place, { recursive: true });
        }
    });

    it("may write to its data directory, wherever that is", () => {
        const paths = { ...settingsOf().paths, dataDir: "/srv/etcd/tools" };
        assert.ok(lines({ paths }).includes("ReadWritePaths=/srv/etcd/tools"));
    });
});
