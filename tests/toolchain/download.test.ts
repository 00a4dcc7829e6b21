import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, lstatSync, readdirSync, rmSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { startFixture, temporaryDirectory, type Ended } from "./process";
import { pack, startVendor, type Vendor } from "./vendor";

describe("a download", () => {
    let place: string;
    let cache: string;
    let vendor: Vendor;

    beforeEach(() => {
        place = temporaryDirectory();
        cache = join(place, "pulumi-etcd");
    });

    afterEach(() => {
        vendor.close();
        rmSync(place, { recursive: true });
    });

    const offer = async (archive?: Buffer): Promise<void> => {
        vendor = await startVendor(place, archive ? { "/thing.tar.gz": archive } : {});
    };
    const env = (): NodeJS.ProcessEnv => ({ PATH: process.env.PATH, XDG_CACHE_HOME: place });
    const download = (...more: string[]): Promise<Ended> =>
        startFixture("download.ts", [`${vendor.url}/thing.tar.gz`, ...more], env()).ended;

    /** Where no file can be larger than 32 KiB, as if the disk were full then. */
    const downloadToSmallDisk = (): Promise<Ended> =>
        startFixture("download.ts", [`${vendor.url}/thing.tar.gz`], env(), [
            "sh",
            "-c",
            'ulimit -f 64; exec "$@"',
            "sh",
        ]).ended;

    const onlyNote = (): string => {
        const notes = readdirSync(join(cache, "unreachable"));
        assert.equal(notes.length, 1);
        return join(cache, "unreachable", notes[0] ?? "");
    };

    it("is not held against the vendor when the disk does not take it", async () => {
        await offer(randomBytes(1 << 17));
        const { stderr } = await downloadToSmallDisk();
        assert.match(stderr, /^Error: \S+\/archive\.tar\.gz can't be written: .*XDG_CACHE_HOME .*\(EFBIG: /m);
        assert(!existsSync(join(cache, "unreachable")));
        await download();
        assert.equal(vendor.asked.length, 2);
    });

    it("is not held against the vendor when the disk does not take what is in it", async () => {
        await offer(pack(place, "thing", " ".repeat(1 << 20)));
        const { stderr } = await downloadToSmallDisk();
        assert.match(stderr, /^Error: \S+\/archive\.tar\.gz can't be unpacked: .*XDG_CACHE_HOME /m);
        assert(!existsSync(join(cache, "unreachable")));
        const { stdout } = await download();
        assert.equal(stdout.trim(), join(cache, "thing-1.0", "thing"));
    });

    it("is held against the vendor when it is no archive, or half of one", async () => {
        const pieces = [Buffer.from("no archive"), pack(place, "thing", "whole").subarray(0, 60)];
        for (const archive of [...pieces, gzipSync(Buffer.alloc(2048, "a page"))]) {
            await offer(archive);
            const first = await download();
            assert.match(first.stderr, /^DownloadError: .*thing\.tar\.gz: tar -xzf \(2\) failed/m);
            assert.match((await download()).stderr, /^DownloadError: /m);
            assert.equal(vendor.asked.length, 1);
            vendor.close();
        }
    });

    it("that failed is tried again when what is remembered of it was removed, or never written", async () => {
        await offer();
        await download();
        await download();
        assert.equal(vendor.asked.length, 1);
        truncateSync(onlyNote());
        assert.match((await download()).stderr, /^DownloadError: .*HTTP status 404/m);
        assert.equal(vendor.asked.length, 2);
        rmSync(join(cache, "unreachable"), { recursive: true });
        await download();
        assert.equal(vendor.asked.length, 3);
    });

    it("that failed leaves nothing half written, and says which file the disk did not take", async () => {
        await offer();
        await download();
        const note = onlyNote();
        rmSync(note);
        symlinkSync("/dev/full", note);
        const { stderr } = await download("retry");
        assert(stderr.includes(`Error: ${note} can't be written: `), stderr);
        assert.match(stderr, /\(ENOSPC: /);
        assert.equal(lstatSync(note, { throwIfNoEntry: false }), undefined);
    });
});
