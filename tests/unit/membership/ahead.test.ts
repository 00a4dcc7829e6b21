import assert from "node:assert/strict";

import { noteTouched } from "../../../components/membership/ahead";
import { check, diff } from "../../../components/membership/handler";
import { desiredOf, type MembershipInputs, type MembershipState } from "../../../components/membership/inputs";
import type { Observation } from "../../../components/membership/types";
import { pack } from "../../../components/packed";
import { grown } from "./model/cluster";
import { observe } from "./model/observe";
import { inputsOf } from "./model/program";
import { but, silent } from "./model/seen";

/** A cluster that is as declared. Nobody here can log in to its hosts, so that whoever looks at them finds that there is much to do. */
function declared(name: string): { readonly inputs: MembershipInputs; readonly seen: Observation } {
    const { lab } = grown("abc", "abc");
    const program = { machines: lab.machines, revision: 0, allowEvenSize: false };
    const inputs = { ...inputsOf(lab, program), cluster: name };
    return { inputs, seen: observe(lab, desiredOf({}, inputs)) };
}

/** As a run that succeeded leaves it. */
function built(inputs: MembershipInputs): MembershipState {
    return { ...inputs, members: [] };
}

async function hasChanges(
    olds: MembershipInputs,
    news: MembershipInputs,
    seen: Observation | undefined,
    agoMs = 0,
): Promise<boolean> {
    const ahead = seen && pack(seen, Date.now() - agoMs);
    const { inputs } = await check(olds, { ...news, isPreview: false, ahead });
    assert.ok(!("ahead" in inputs), "state would keep what was seen");
    return (await diff("id", built(olds), inputs)).changes;
}

/** What a look from here says, which nobody lets in. */
const OWN_LOOK = /no host key is given/;

/** The lines of a preview. */
async function previewed(olds: MembershipInputs, news: MembershipInputs, seen: Observation): Promise<string> {
    const lines: string[] = [];
    const { log } = console;
    console.log = (line: string) => lines.push(line);
    try {
        const { inputs } = await check(olds, { ...news, isPreview: true, ahead: pack(seen) });
        await diff("id", olds, inputs);
    } finally {
        console.log = log;
    }
    return lines.join("\n");
}

describe("what the program has seen of a cluster", () => {
    it("is enough to say that nothing is to be done, and once", async () => {
        const { inputs, seen } = declared("one");
        assert.equal(await hasChanges(inputs, inputs, seen), false);
        assert.equal((await diff("id", built(inputs), inputs)).changes, true);
    });

    it("is not enough where a run that failed has left no outputs", async () => {
        const { inputs, seen } = declared("failed");
        await check(inputs, { ...inputs, isPreview: false, ahead: pack(seen) });
        assert.equal((await diff("id", inputs, inputs)).changes, true);
    });

    it("is not asked for what is to be done: that is looked at anew", async () => {
        const { inputs, seen } = declared("two");
        const stopped = but("b", () => ({ ...silent, unit: "inactive" }))(seen);
        const lines = await previewed(inputs, inputs, stopped);
        assert.match(lines, OWN_LOOK);
        assert.doesNotMatch(lines, /start .*"b"/);
    });

    it("says nothing when it is old, cannot be read, is not known yet, or is nothing", async () => {
        const { inputs, seen } = declared("three");
        assert.equal(await hasChanges(inputs, inputs, seen, 11_000), true);
        assert.equal(await hasChanges(inputs, inputs, undefined), true);
        for (const ahead of ["04da6b54-80e4-46f7-96ec-b56ff0331ba9", "", "AAAA"]) {
            await check(inputs, { ...inputs, isPreview: false, ahead });
            assert.equal((await diff("id", built(inputs), inputs)).changes, true, ahead);
        }
    });

    it("says nothing of hosts that were worked on since", async () => {
        const { inputs, seen } = declared("four");
        noteTouched("four");
        assert.equal(await hasChanges(inputs, inputs, seen), true);
    });

    it("says nothing where a host is left that only state knows", async () => {
        const { inputs, seen } = declared("five");
        const gone = { ...inputs.hosts[0]!, name: "gone", address: "10.0.0.99" };
        assert.match(await previewed({ ...inputs, hosts: [...inputs.hosts, gone] }, inputs, seen), OWN_LOOK);
        assert.doesNotMatch(await previewed(inputs, inputs, seen), OWN_LOOK);
    });
});
