import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import { renderStage } from "../../../components/host/stage";
import { renderInstall, renderInstallCheck } from "../../../components/host/install";
import { certificates, settingsOf } from "./settings";

/** What a POSIX shell thinks of a script, without running it. */
function syntaxError(script: string): string {
    return spawnSync("sh", ["-n"], { input: script, encoding: "utf8" }).stderr;
}

describe("the staging script", () => {
    it("is a POSIX shell script, with and without a firewall", () => {
        for (const firewall of [true, false]) {
            assert.equal(syntaxError(renderStage(settingsOf({ firewall }), certificates).script), "");
        }
    });

    it("is a whole script whatever a certificate's text holds", () => {
        const nasty = `-----BEGIN'"$(touch /x)\`\\\n;|&\n' "-----\n`;
        const { script } = renderStage(settingsOf(), { ...certificates, serverCert: nasty });
        assert.equal(syntaxError(script), "");
        assert.ok(script.includes(nasty.replaceAll("'", `'\\''`)));
    });

    it("tells the digest of the generation that it lays down", () => {
        const { script, generation } = renderStage(settingsOf(), certificates);
        assert.ok(script.includes(`digest='${generation}'`));
    });

    it("never writes what membership decides", () => {
        const { script } = renderStage(settingsOf(), certificates);
        for (const path of ["membership.env'", "identity'"]) assert.equal(script.includes(path), false, path);
        assert.doesNotMatch(
            script,
            /systemctl [a-z -]*(start|stop|restart|enable)[a-z -]* '?etcd-tools'?(\.service)?$/m,
        );
    });
});

describe("the installation scripts", () => {
    it("are POSIX shell scripts", () => {
        const sha256 = "0".repeat(64);
        const sources = [
            { source: "debian" },
            { source: "file", path: "x", sha256 },
            { source: "url", url: "https://h/'x", sha256 },
        ] as const;
        for (const source of sources) {
            assert.equal(syntaxError(renderInstall(source, "3.6.16")), "");
            assert.equal(syntaxError(renderInstallCheck(source, "3.6.16")), "");
        }
    });
});
