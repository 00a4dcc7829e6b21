import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { renderArchivePeek } from "../../../components/host/release";

describe("a look at what is behind a URL", () => {
    let place: string;

    beforeEach(() => (place = mkdtempSync(join(tmpdir(), "peek-"))));
    afterEach(() => rmSync(place, { recursive: true }));

    /** What the host answers whose curl is this script. */
    function peek(curl: string, env: Readonly<Record<string, string>> = {}): string {
        writeFileSync(join(place, "curl"), `#!/bin/sh\n${curl}\n`, { mode: 0o755 });
        const script = renderArchivePeek("https://mirror/etcd.tar.gz").replaceAll("/run", place);
        const PATH = `${place}:${process.env["PATH"]}`;
        return spawnSync("sh", ["-c", script], {
            encoding: "utf8",
            env: { ...process.env, PATH, ...env },
        }).stdout.trim();
    }

    it("tells what curl has against a certificate, and not where to read about it", () => {
        const said = [
            "curl: (60) SSL certificate problem: unable to get local issuer certificate",
            "More details here: https://curl.se/docs/sslcerts.html",
            "",
            "how to fix it, please visit the web page mentioned above.",
        ];
        const answer = peek(`cat >&2 <<'END'\n${said.join("\n")}\nEND\nexit 60`);
        assert.equal(answer, `unfetched=${said[0]}`);
    });

    it("needs no room where temporary files are, and leaves nothing", () => {
        const answer = peek("echo 'curl: (7) refused' >&2; exit 7", { TMPDIR: "/proc/full" });
        assert.equal(answer, "unfetched=curl: (7) refused");
        assert.deepEqual(readdirSync(place), ["curl"]);
    });
});
