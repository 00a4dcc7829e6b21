import assert from "node:assert/strict";

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

    it("may write to its data directory, wherever that is", () => {
        const paths = { ...settingsOf().paths, dataDir: "/srv/etcd/tools" };
        assert.ok(lines({ paths }).includes("ReadWritePaths=/srv/etcd/tools"));
    });
});
