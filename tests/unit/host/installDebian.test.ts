import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { renderInstall } from "../../../components/host/install";

describe("an installation of the distribution's packages", () => {
    let place: string;

    beforeEach(() => (place = mkdtempSync(join(tmpdir(), "packages-"))));
    afterEach(() => rmSync(place, { recursive: true }));

    function program(name: string, text: string): void {
        writeFileSync(join(place, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }

    /** Why it ends, on a host whose lists are old, where the update of these fails once; it goes no further than to etcd's own unit. */
    function install(failure: string): string {
        program("sleep", "");
        program("systemctl", "exit 0");
        program("apt-cache", `[ -e ${place}/updated ] && echo "  Candidate: 3.4.23-4"`);
        program(
            "apt-get",
            `[ -e ${place}/failed ] && { : >${place}/updated; exit 0; }; : >${place}/failed; echo "${failure}"; exit 100`,
        );
        const script = renderInstall({ source: "debian" }, "3.4.23")
            .replaceAll("/usr/bin", place)
            .replaceAll("/run/", `${place}/`);
        const env = { ...process.env, PATH: `${place}:${process.env["PATH"]}` };
        return spawnSync("sh", ["-c", script], { encoding: "utf8", env }).stderr.trim();
    }

    it("waits for whoever else brings the lists up to date", () => {
        const why = install("E: Could not get lock /var/lib/apt/lists/lock. It is held by process 812 (apt-get)");
        assert.match(why, /^etcd\.service runs on this host/);
    });

    it("does not try again what fails for another reason", () => {
        const failure = "E: The repository does not have a Release file.";
        assert.equal(install(failure), `the package lists can't be brought up to date: ${failure}`);
        assert.ok(!existsSync(join(place, "updated")));
    });
});
