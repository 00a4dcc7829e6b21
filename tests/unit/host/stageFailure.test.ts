import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import { renderStage } from "../../../components/host/stage";
import { stageCommand, stageInput } from "../../../components/host/stageCommand";
import { renderFailure } from "../../../components/host/stageFailure";
import { afterRepair, withNext } from "../../../components/membership/errors";
import { certificates, settingsOf } from "./settings";

/** Runs what is staged here by the command that stages, with no more than its end: the rest of it would change this machine. */
function stage(script: string, limitSeconds = 10): { stderr: string; status: number | null } {
    const command = stageCommand({ sudo: false, hasSudoPassword: false }, limitSeconds);
    const input = stageInput(`set -eu\n${renderFailure(settingsOf())}\n${script}`, undefined);
    const { stderr, status } = spawnSync("/bin/sh", ["-c", command], { input, encoding: "utf8" });
    return { stderr, status };
}

describe("staging that fails", () => {
    it("says why, and ends with what to type next, as all errors do", () => {
        const { stderr, status } = stage('fail "/etc/x is there: remove it"\necho further >&2');
        assert.equal(stderr, `${withNext("/etc/x is there: remove it", afterRepair(undefined))}\n`);
        assert.equal(status, 1);
    });

    it("names what shows the cause on its host, where the host has more to say", () => {
        const { stderr } = stage(`f() { fail "the firewall can't be loaded" "$see_firewall"; }\nf`);
        assert.equal(
            stderr,
            "the firewall can't be loaded\nnext: journalctl -u etcd-tools-firewall on a (10.0.0.11), then pulumi up\n",
        );
    });

    it("ends so too when a program fails that is not asked for, which then mostly lacks room", () => {
        const { stderr, status } = stage("f() { ls /nonexistent/file; echo further >&2; }\nf");
        assert.match(stderr, /^ls: .*\/nonexistent\/file.*\nnext: df -h on a \(10\.0\.0\.11\), then pulumi up\n$/);
        assert.notEqual(status, 0);
    });

    it("ends so too when it takes too long", () => {
        const { stderr, status } = stage("sleep 30", 1);
        assert.match(stderr, /^the files were not all laid down in time, .*: check its load and disks$/m);
        assert.match(stderr, /\nnext: uptime; df -h on a \(10\.0\.0\.11\), then pulumi up\n$/);
        assert.equal(status, 124);
    });

    it("says nothing when it does not fail", () => {
        assert.deepEqual(stage("( exit 0 )\nfalse || :"), { stderr: "", status: 0 });
    });

    it("knows every next command that the script names", () => {
        const { script } = renderStage(settingsOf(), certificates);
        const named = new Set([...script.matchAll(/" "\$((?:once|see)_\w+)"/g)].map(([, variable]) => variable!));
        assert.ok(named.size >= 5, [...named].join());
        for (const variable of named) assert.match(renderFailure(settingsOf()), new RegExp(`^${variable}='`, "m"));
    });
});
