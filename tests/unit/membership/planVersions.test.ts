import assert from "node:assert/strict";

import { describe as inWords, wholePlan } from "../../../components/membership/plan";
import type { MemberStatus, Observation } from "../../../components/membership/types";
import { grown } from "./model/cluster";
import { but } from "./model/seen";

/** What the members of a cluster run, by name. The model's version, 3.6.16, is declared. */
type Running = Readonly<Record<string, string>>;

function as(running: Running, more: Partial<MemberStatus> = {}): (seen: Observation) => Observation {
    return (seen) =>
        Object.entries(running).reduce(
            (now, [name, version]) => but(name, ({ status }) => ({ status: { ...status!, version, ...more } }))(now),
            seen,
        );
}

describe("the plan for another version", () => {
    /** The restarts, in words, of members that are to run what is declared. */
    function restarts(running: Running): readonly string[] {
        const names = Object.keys(running).join("");
        const cluster = grown(names, names);
        cluster.revise();
        const { seen, wanted } = cluster.foresee(names, as(running));
        const { steps, refusal } = wholePlan(seen, wanted);
        assert.equal(refusal, undefined);
        return steps
            .filter(({ kind }) => kind === "restart")
            .map((step) => inWords(step).replace(/ generation .*/, ""));
    }

    it("keeps a snapshot of the series that is left before the first member leaves it, and before the last one does", () => {
        assert.deepEqual(restarts({ a: "3.5.35", b: "3.5.35", c: "3.5.35" }), [
            'take a snapshot on "b", then restart it with',
            'restart "c" with',
            'take a snapshot on "a", then restart it with',
        ]);
        assert.deepEqual(restarts({ a: "3.5.35" }), ['take a snapshot on "a", then restart it with']);
    });

    it("keeps one before the last member leaves a series, whoever left it before", () => {
        assert.deepEqual(restarts({ a: "3.5.35", b: "3.6.16", c: "3.5.35" }), [
            'restart "b" with',
            'restart "c" with',
            'take a snapshot on "a", then restart it with',
        ]);
    });

    it("keeps none for a patch, nor on the way back", () => {
        for (const other of ["3.6.11", "3.7.3"])
            assert.doesNotMatch(restarts({ a: "3.6.16", b: other, c: "3.6.16" }).join(), /snapshot/);
    });

    it("refuses to leave 3.4 while its users and roles are on", () => {
        const refusalOf = (hasUsers: boolean): string | undefined => {
            const cluster = grown("abc", "abc");
            const to35 = cluster.foresee("abc", as({ a: "3.4.23", b: "3.4.23", c: "3.4.23" }, { hasUsers }));
            return wholePlan(to35.seen, { ...to35.wanted, version: "3.5.35" }).refusal;
        };
        assert.equal(refusalOf(false), undefined);
        assert.match(
            refusalOf(true) ?? "",
            /^version 3\.5\.35 is declared, but "a" runs etcd 3\.4\.23 with its users and roles on, .*etcdctl auth disable/,
        );
    });

    it("refuses a version that etcd does not upgrade to from what runs", () => {
        const { kinds, refusal } = grown("abc", "abc").foresee("abc", as({ b: "3.4.45" }));
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /version 3\.6\.16 is declared, but/);
    });

    it("refuses such a version also when all hosts are replaced, and newcomers would join those that run it", () => {
        const { kinds, refusal } = grown("abcdef", "abc").foresee("def", as({ a: "3.4.45", b: "3.4.45", c: "3.4.45" }));
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /version 3\.6\.16 is declared, but/);
    });
});
