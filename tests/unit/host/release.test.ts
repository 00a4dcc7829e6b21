import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { renderInstall } from "../../../components/host/install";
import { renderArchivePeek } from "../../../components/host/release";

describe("a look at what is behind a URL", () => {
    let place: string;

    beforeEach(() => (place = mkdtempSync(join(tmpdir(), "peek-"))));
    afterEach(() => rmSync(place, { recursive: true }));

    /** What the host answers whose curl is this script. */
    function peek(curl: string, env: Readonly<Record<string, string>> = {}): string {
        writeFileSync(join(place, "curl"), `#!/bin/sh\n${curl}\n`, { mode: 0o755 });
        return run(renderArchivePeek("https://mirror/etcd.tar.gz"), env).stdout.trim();
    }

    function run(script: string, env: Readonly<Record<string, string>> = {}): SpawnSyncReturns<string> {
        const PATH = `${place}:${process.env["PATH"]}`;
        return spawnSync("sh", ["-s"], {
            encoding: "utf8",
            input: script.replaceAll("/run", place).replaceAll("/opt/etcd", `${place}/releases`),
            env: { ...process.env, PATH, ...env },
        });
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

    it("shows a signed URL to no other user of the host, nor does the download", () => {
        const url = 'https://mirror/etcd.tar.gz?signature="a\\b"&c=$(d)%s';
        const scripts = [
            renderArchivePeek(url),
            renderInstall({ source: "url", url, sha256: "ab".repeat(32) }, "3.6.16"),
        ];
        for (const script of scripts) {
            writeFileSync(join(place, "curl"), `#!/bin/sh\necho "$*" >${place}/words\ncat >${place}/config\nexit 7\n`, {
                mode: 0o755,
            });
            run(script);
            assert.match(readFileSync(join(place, "words"), "utf8"), /^--config - -fsSL /);
            assert.doesNotMatch(readFileSync(join(place, "words"), "utf8"), /mirror/);
            const wanted = 'url = "https://mirror/etcd.tar.gz?signature=\\"a\\\\b\\"&c=$(d)%s"\n';
            assert.equal(readFileSync(join(place, "config"), "utf8"), wanted);
            rmSync(join(place, "words"));
        }
    });
});
