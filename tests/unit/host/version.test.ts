import assert from "node:assert/strict";

import fc from "fast-check";

import { isAtLeast, minorOf, parseVersion, whyNotFrom } from "../../../components/host/version";

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

    it("follows another one of its series or of the one before, back and forth", () => {
        const allowed: readonly (readonly [readonly string[], string])[] = [
            [["3.6.16", "3.6.16"], "3.6.16"],
            [["3.6.16"], "3.6.1"],
            [["3.4.23"], "3.5.35"],
            [["3.5.35", "3.6.16"], "3.6.16"],
            [["3.5.35", "3.6.16"], "3.5.35"],
            [["3.6.11"], "3.7.3"],
            [[], "3.4.23"],
        ];
        for (const [running, wanted] of allowed)
            assert.equal(whyNotFrom(running, wanted), undefined, `${running.join()} → ${wanted}`);
    });

    it("follows no other one, and says which may come first", () => {
        const refused: readonly (readonly [readonly string[], string, RegExp])[] = [
            [["3.4.23"], "3.6.16", /members run etcd 3\.4, .*declare a version of 3\.5 first/],
            [["3.7.3", "3.5.35"], "3.7.3", /declare a version of 3\.6 first/],
            [["3.6.16", "3.6.16"], "3.5.35", /all members run etcd 3\.6 by now, and there is no way back to 3\.5/],
            [
                ["3.5.35", "3.5.31"],
                "3.6.16",
                /a member runs etcd 3\.5\.31, .*declare 3\.5\.32 or a later version of 3\.5/,
            ],
            [["3.6.10"], "3.7.3", /declare 3\.6\.11 or a later version of 3\.6/],
        ];
        for (const [running, wanted, reason] of refused) assert.match(whyNotFrom(running, wanted) ?? "", reason);
    });
});
