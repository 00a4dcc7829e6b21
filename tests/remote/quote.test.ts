import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

import fc from "fast-check";

import { shellQuote } from "../../components/remote/quote";

const nasty = [
    "'",
    '"',
    "$",
    "`",
    "\\",
    "(",
    ")",
    ";",
    "&",
    "|",
    "\n",
    "\t",
    " ",
    "!",
    "*",
    "~",
    "#",
    "-",
    "é",
    "🦀",
    "\u0001",
    "$(id)",
];
const text = fc.oneof(
    fc.array(fc.constantFrom(...nasty), { maxLength: 12 }).map((parts) => parts.join("")),
    fc.string({ unit: "binary", maxLength: 20 }).filter((drawn) => !drawn.includes("\0")),
);

for (const shell of ["/bin/sh", "/bin/bash"]) {
    describe(`shellQuote, as ${shell} reads it`, () => {
        it("makes any text one word that means itself", () => {
            fc.assert(
                fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), (texts) => {
                    const script = `printf '%s\\0' ${texts.map(shellQuote).join(" ")}`;
                    const words = execFileSync(shell, { input: script, encoding: "utf8" }).split("\0").slice(0, -1);
                    assert.deepEqual(words, texts);
                }),
                { numRuns: 200 },
            );
        });
    });
}

describe("shellQuote", () => {
    it("refuses a NUL byte, which no word can hold", () => {
        assert.throws(() => shellQuote("a\0b"), TypeError);
    });
});
