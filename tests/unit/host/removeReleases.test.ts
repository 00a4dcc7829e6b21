import assert from "node:assert/strict";

import { RELEASE_NAME, releaseDir } from "../../../components/host/install";

describe("what is removed with the last cluster of a host", () => {
    const isOurs = (name: string): boolean => new RegExp(`^${RELEASE_NAME}$`).test(name);

    it("are releases by the names that an install gives them, however their sha256 is written", () => {
        const sha256 = "e6ba74d69ad7".padEnd(64, "0");
        for (const sum of [sha256, sha256.toUpperCase()])
            for (const version of ["3.4.23", "3.6.16", "3.7.0-rc.0"]) {
                const name = releaseDir({ source: "url", url: "https://x/y", sha256: sum }, version).split("/").at(-1)!;
                for (const end of ["", ".archive", ".unpacked"]) assert.ok(isOurs(name + end), name + end);
            }
    });

    it("is nothing that others may have put there", () => {
        for (const name of ["bin", "data", "ssl", "3.5", "3.5.9", "etcd-v3.5.9-linux-amd64", "old.archive", ".archive"])
            assert.ok(!isOurs(name), name);
    });
});
