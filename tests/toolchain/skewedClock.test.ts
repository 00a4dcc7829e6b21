import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { goBuild, layOut } from "../../toolchain/goBuild";
import { skewedClock } from "../../toolchain/skewedClock";

/** Ends when its clock has jumped, and says by how much, and how long it has run by the monotonic clock. */
const PROGRAM = `package main

import "time"

func main() {
	start := time.Now()
	println("runs")
	for range 6000 {
		<-time.After(10 * time.Millisecond)
		now := time.Now()
		if now.Unix()-start.Unix() > 3600 {
			println(now.Unix()-start.Unix(), int64(now.Sub(start).Seconds()))
			return
		}
	}
}
`;

describe("a clock of their own for Go programs", () => {
    const directory = mkdtempSync(join(tmpdir(), "skewed-clock-"));
    const { PATH } = process.env;

    afterEach(() => void (process.env.PATH = PATH));
    after(() => rmSync(directory, { recursive: true }));

    it("is set while they run by a file, and leaves the monotonic clock alone", async () => {
        const [offset, source, built] = ["offset", "main.go", "built"].map((name) => join(directory, name)) as [
            string,
            string,
            string,
        ];
        await writeFile(source, PROGRAM);
        const overlay = await layOut(skewedClock(offset, directory), directory);
        await goBuild("skewed clock's test", directory, ["-overlay", overlay, "-o", built, source]);
        const program = spawn(built, { stdio: ["ignore", "ignore", "pipe"] });
        let text = "";
        program.stderr.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        await once(program.stderr, "data");
        await writeFile(offset, "7200");
        await once(program, "close");
        const [, jumped, ran] = /^runs\n(\d+) (\d+)$/.exec(text.trim()) ?? assert.fail(`it said: ${text}`);
        assert.ok(Number(jumped) >= 7200 && Number(jumped) < 7300, text);
        assert.ok(Number(ran) < 100, text);
    });

    it("is not to be had from a Go that reads the clock in another way", async () => {
        await standInForGo("package time\n");
        assert.throws(
            () => skewedClock("/offset", directory),
            /src\/time\/time\.go does not have "sec, nsec, mono := runtimeNow\(\)" once/,
        );
    });

    it("is laid over the Go that builds the module, wherever it is asked for", async () => {
        await standInForGo("package time\n\tsec, nsec, mono := runtimeNow()\n");
        const { files } = skewedClock("/offset", directory);
        assert.deepEqual(
            Object.keys(files),
            ["time.go", "clock_offset.go"].map((file) => join(directory, "src", "time", file)),
        );
    });

    /** A Go whose root is where it is asked: as one that fetches what the go.mod there names. */
    async function standInForGo(timeSource: string): Promise<void> {
        const time = join(directory, "src", "time");
        await mkdir(time, { recursive: true });
        await writeFile(join(time, "time.go"), timeSource);
        const go = '#!/bin/sh\n[ "$1" = version ] && echo go version go1.21.0 linux/amd64 || pwd\n';
        await writeFile(join(directory, "go"), go, { mode: 0o755 });
        process.env.PATH = directory;
    }
});
