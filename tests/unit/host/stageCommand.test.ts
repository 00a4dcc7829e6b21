import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import * as fc from "fast-check";

import { stageCommand, stageInput } from "../../../components/host/stageCommand";

const command = stageCommand({ sudo: false, hasSudoPassword: false }, 10);

function run(stdin: string): { stdout: string; status: number | null } {
    return spawnSync("/bin/sh", ["-c", command], { input: stdin, encoding: "utf8" });
}

describe("the command that stages", () => {
    it("runs the whole script, and ends as it does", () => {
        assert.deepEqual(pick(run(stageInput("set -eu\nsay() { echo \"$1\"; }\nsay 'it''s done'", undefined))), {
            stdout: "its done\n",
            status: 0,
        });
        assert.equal(run(stageInput("set -e\nfalse\necho further", undefined)).status, 1);
        assert.equal(run(stageInput("exit 3", undefined)).status, 3);
    });

    it("passes over a password that sudo did not ask for", () => {
        assert.deepEqual(pick(run(stageInput("echo staged", "echo secret"))), { stdout: "staged\n", status: 0 });
    });

    it("does nothing, and fails, with a script that was cut off on the way", () => {
        const whole = stageInput("echo one\necho two", "password");
        fc.assert(
            fc.property(fc.integer({ min: 0, max: whole.length - 3 }), (length) => {
                const { stdout, status } = run(whole.slice(0, length));
                assert.equal(stdout, "");
                assert.notEqual(status, 0);
            }),
        );
    });

    it("is short, and tells nothing of what is staged", () => {
        assert.ok(command.length < 200, command);
        const asked = stageCommand({ sudo: true, hasSudoPassword: true }, 10);
        assert.match(asked, /^exec env LC_ALL=C sudo -S -p '' -- timeout -k 2 10 \/bin\/sh -c '/);
        assert.match(stageCommand({ sudo: true, hasSudoPassword: false }, 10), / sudo -n -- timeout /);
    });
});

function pick({ stdout, status }: { stdout: string; status: number | null }): object {
    return { stdout, status };
}
