/** What the engine prints at the end of a run, as a user reads it. */
import assert from "node:assert/strict";

import type { Run } from "./project";

/** The lines below "Diagnostics:", without indentation, blank lines and headings. */
export function diagnosticsOf({ text }: Run): readonly string[] {
    const [, tail = ""] = text.split(/^Diagnostics:$/m);
    const [part = ""] = tail.split(/^(?:Outputs|Resources):$/m);
    return part
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line !== "" && !/^\S+ \(\S+\):$/.test(line));
}

export const UNCHANGED = "nothing was changed on any host";

/** The last line of an error: what to type. */
const NEXT = /^next: .*pulumi /;

/** Of hosts that are measured before they become members. */
const FIGURES = /^\[\S+\] (host .* GiB free|warning: host .*)$/;

/**
 * A run that failed and said why: each line once, no stack, and nothing else besides the engine's own "update failed" and hosts' figures.
 * Whatever says that nothing was changed says what to type next.
 * @returns what it said, without that
 */
export function refusalOf(run: Run): readonly string[] {
    assert.notEqual(run.code, 0, `it should have failed:\n${run.text}`);
    const lines = diagnosticsOf(run).filter((line) => line !== "error: update failed" && !FIGURES.test(line));
    assert.deepEqual(lines, [...new Set(lines)], "something is said twice");
    assert.ok(!lines.some((line) => /^at .*[(/]/.test(line)), `there is a stack:\n${lines.join("\n")}`);
    const said = lines.map((line) => line.replace(/^error: /, ""));
    for (const [index, line] of said.entries())
        if (line === UNCHANGED)
            assert.match(said[index + 1] ?? "", NEXT, `nothing to type is said:\n${said.join("\n")}`);
    return said.filter((line) => !NEXT.test(line));
}

/** What a preview that succeeded foretells about the `up` after it. */
export function foretoldBy(run: Run, cluster: string): readonly string[] {
    assert.equal(run.code, 0, run.text);
    const start = `[${cluster}] up will stop here: `;
    const lines = diagnosticsOf(run).filter((line) => line.startsWith(start));
    assert.deepEqual(lines, [...new Set(lines)], "something is said twice");
    return lines.map((line) => line.slice(start.length));
}
