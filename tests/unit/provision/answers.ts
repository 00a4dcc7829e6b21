import assert from "node:assert/strict";

/** What a host answers of which some lines were changed: a text adds a line, a RegExp takes lines away. */
export function changed(lines: readonly string[], changes: readonly (string | RegExp)[]): string {
    const gone = changes.filter((change) => change instanceof RegExp);
    const added = changes.filter((change) => typeof change === "string");
    return [...lines.filter((line) => !gone.some((pattern) => pattern.test(line))), ...added].join("\n");
}

/** @throws unless this is one problem, with this in its text */
export function assertOne(problems: readonly string[], wanted: RegExp): void {
    assert.equal(problems.length, 1, JSON.stringify(problems));
    assert.match(problems[0]!, wanted);
}
