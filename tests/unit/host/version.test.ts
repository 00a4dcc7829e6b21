import assert from "node:assert/strict";

import fc from "fast-check";

import { isAtLeast, minorOf, parseVersion } from "../../../components/host/version";

describe("a version", () => {
    const part = fc.nat({ max: 40 });
    const version = fc.tuple(part, part, part);

    it("is ordered by its numbers, not by its letters", () => {
        fc.assert(
            fc.property(version, version, (left, right) => {
                const rank = ([major, minor, patch]: readonly number[]) =>
                    ((major ?? 0) * 100 + (minor ?? 0)) * 100 + (patch ?? 0);
                assert.equal(isAtLeast(left.join("."), right.join(".")), rank(left) >= rank(right));
            }),
        );
    });

    it("is what etcd prints and nothing else", () => {
        assert.deepEqual(parseVersion("3.6.16"), { major: 3, minor: 6, patch: 16 });
        for (const text of ["v3.6.16", "3.6", "3.6.16-rc.1", "3.06.1", "", "3.6.16 ", "3.6.16\n"]) {
            assert.equal(parseVersion(text), undefined, JSON.stringify(text));
        }
        assert.equal(minorOf("3.6.16"), "3.6");
    });
});
