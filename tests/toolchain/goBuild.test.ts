import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { goBuild } from "../../toolchain/goBuild";
import { temporaryDirectory } from "./process";

describe("a build by Go", () => {
    const usual = { ...process.env };
    let place: string;

    beforeEach(() => {
        place = temporaryDirectory();
        for (const name of ["GOCACHE", "GOMODCACHE", "GOPATH"]) delete process.env[name];
    });

    afterEach(() => {
        delete process.env.XDG_CACHE_HOME;
        Object.assign(process.env, usual);
        // Go may still note there that it was used.
        rmSync(place, { recursive: true, maxRetries: 10 });
    });

    const build = async (): Promise<string> => {
        const [source, built] = [join(place, "main.go"), join(place, "built")];
        writeFileSync(source, 'package main\n\nfunc main() { print("built") }\n');
        await goBuild("go's test", place, ["-o", built, source]);
        return execFileSync("sh", ["-c", '"$0" 2>&1', built], { encoding: "utf8" });
    };

    it("needs no HOME", async () => {
        delete process.env.HOME;
        delete process.env.XDG_CACHE_HOME;
        assert.equal(await build(), "built");
    });

    it("ignores a relative XDG_CACHE_HOME", async () => {
        process.env.XDG_CACHE_HOME = "somewhere";
        assert.equal(await build(), "built");
    });
});
