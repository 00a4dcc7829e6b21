import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { factsScript, parseFacts, type Facts } from "../../../components/provision/facts";
import type { ProvisionInputs } from "../../../components/provision/inputs";
import { host, inputs as ordinary } from "./declared";

const inputs: ProvisionInputs = {
    ...ordinary,
    install: { source: "file", path: "etcd.tar.gz", sha256: "ab".repeat(32) },
};

describe("a look at a host", () => {
    let place: string;

    beforeEach(() => (place = mkdtempSync(join(tmpdir(), "facts-"))));
    afterEach(() => rmSync(place, { recursive: true }));

    function program(name: string, text: string): string {
        const file = join(place, name);
        writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
        return file;
    }

    /** What this machine says, of which some programs are the test's. */
    function look(change = (script: string): string => script, declared = inputs): Facts {
        const env = { ...process.env, PATH: `${place}:${process.env["PATH"]}` };
        return parseFacts(
            spawnSync("sh", ["-s"], { encoding: "utf8", input: change(factsScript(declared, host)), env }).stdout,
        );
    }

    it("finds nft where units start it, and nowhere else", () => {
        const hasNft = (where: string): boolean =>
            look((script) => script.replaceAll("/usr/sbin/nft", where)).tools.has("nft");
        const file = program("nft", "exit 1");
        assert.equal(hasNft(file), true);
        assert.equal(hasNft(`${file}.elsewhere`), false);
    });

    it("finds what is mounted within the data directory, and not the directory itself or what is beside it", () => {
        const mounts = (dataDir: string): readonly string[] => look(undefined, { ...inputs, dataDir }).mounts;
        assert.ok(mounts("/dev").includes("/dev/pts"));
        symlinkSync("/dev", join(place, "link"));
        assert.ok(mounts(join(place, "link")).includes("/dev/pts"), "it lies behind a link");
        assert.deepEqual(mounts("/dev/pt"), []);
        assert.deepEqual(mounts("/dev/pts"), []);
    });

    it("asks systemd about the schedule of backups, where one is declared and systemd can tell", () => {
        program("systemd-analyze", `[ "$*" = "calendar -- *-*-* 02:30" ]`);
        const refuses = (schedule: object): boolean => look(undefined, { ...inputs, ...schedule }).refusesSchedule;
        assert.equal(refuses({ backupSchedule: "*-*-* 02:30" }), false);
        assert.equal(refuses({ backupSchedule: "*-*-* 25:30" }), true);
        assert.equal(refuses({}), false);
    });
});
