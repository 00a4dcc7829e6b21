import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { artefact, cacheDirectory } from "../../toolchain/cache";
import { startFixture, temporaryDirectory, until, type Started } from "./process";

describe("the cache", () => {
    let home: string;
    let cache: string;
    let record: string;
    let release: string;
    const usual = process.env.XDG_CACHE_HOME;

    beforeEach(() => {
        home = temporaryDirectory();
        cache = join(home, "pulumi-etcd");
        record = join(home, "record");
        release = join(home, "release");
        process.env.XDG_CACHE_HOME = home;
    });

    afterEach(() => {
        if (usual === undefined) delete process.env.XDG_CACHE_HOME;
        else process.env.XDG_CACHE_HOME = usual;
        rmSync(home, { recursive: true });
    });

    const startBuild = (...more: string[]): Started => startFixture("build.ts", [record, ...more], process.env);
    const builds = (): string[] => (existsSync(record) ? readFileSync(record, "utf8").trim().split("\n") : []);
    const partial = (): string[] => readdirSync(cache).filter((name) => name.includes(".partial-"));

    it("lets one of two runs build while the other says for whom it waits", async () => {
        const first = startBuild(release);
        await until("the first build begins", () => builds().length === 1);
        const second = startBuild(release);
        await until("the second one waits", () => second.stderr().includes("waiting for"));
        writeFileSync(release, "");
        const ends = await Promise.all([first.ended, second.ended]);
        assert.deepEqual(
            ends.map(({ code, stdout }) => [code, stdout.trim()]),
            [
                [0, join(cache, "thing-1.0")],
                [0, join(cache, "thing-1.0")],
            ],
        );
        assert.equal(second.stderr().trim(), `waiting for process ${first.child.pid}, which makes thing 1.0`);
        assert.deepEqual(builds(), [String(first.child.pid)]);
    });

    it("builds again what was interrupted, and clears away what it left", async () => {
        const killed = startBuild(release);
        await until("the build begins", () => builds().length === 1);
        assert.equal(partial().length, 1);
        killed.child.kill("SIGKILL");
        await killed.ended;
        assert.equal(existsSync(join(cache, "thing-1.0")), false);
        const next = await startBuild().ended;
        assert.equal(next.code, 0);
        assert.equal(next.stderr, "");
        assert.deepEqual(partial(), []);
        assert.deepEqual(readdirSync(join(cache, "thing-1.0")), ["half", "whole"]);
    });

    it("hands a dead builder's turn to the run that waits", async () => {
        const killed = startBuild(release);
        await until("the first build begins", () => builds().length === 1);
        const waiting = startBuild();
        await until("the second one waits", () => waiting.stderr().includes("waiting for"));
        killed.child.kill("SIGKILL");
        assert.equal((await waiting.ended).code, 0);
        assert.deepEqual(builds(), [String(killed.child.pid), String(waiting.child.pid)]);
    });

    it("leaves nothing of a build that failed, and tries again", async () => {
        await assert.rejects(
            artefact("thing", "1.0", (directory) => {
                writeFileSync(join(directory, "half"), "");
                return Promise.reject(new Error("no space left"));
            }),
            /no space left/,
        );
        assert.deepEqual(partial(), []);
        const directory = await artefact("thing", "1.0", () => Promise.resolve());
        assert.deepEqual(readdirSync(directory), []);
    });

    it("builds once when one process asks twice at the same time", async () => {
        let count = 0;
        const build = (): Promise<void> => {
            count++;
            return Promise.resolve();
        };
        const directories = await Promise.all([artefact("thing", "1.0", build), artefact("thing", "1.0", build)]);
        assert.deepEqual(directories, [join(cache, "thing-1.0"), join(cache, "thing-1.0")]);
        assert.equal(count, 1);
    });

    it("refuses a key that would leave the cache", async () => {
        await assert.rejects(
            artefact("../thing", "1.0", () => Promise.resolve()),
            /artefact key "\.\.\/thing-1\.0"/,
        );
    });

    it("ignores a relative XDG_CACHE_HOME", () => {
        process.env.XDG_CACHE_HOME = "somewhere";
        assert.match(cacheDirectory(), /^\/.*\/\.cache\/pulumi-etcd$/);
    });
});
