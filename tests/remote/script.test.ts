import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import fc from "fast-check";

import { shellQuote } from "../../components/remote/quote";
import { frameScript, readerCommand, STARTED } from "../../components/remote/script";

const ROOT = { address: "127.0.0.1", user: "root" };

/** What a host does with the bytes that it gets, without the host. */
function receive(bytes: Buffer): { stdout: string; status: number | null } {
    const { stdout, status } = spawnSync("/bin/sh", ["-c", readerCommand(ROOT, true, undefined)], { input: bytes });
    return { stdout: stdout.toString(), status };
}

describe("A script on its way to a host", () => {
    it("runs as it was written, and finds its own stdin whole", () => {
        const text = fc.string({ unit: "grapheme", maxLength: 50 }).filter((drawn) => !drawn.includes("\0"));
        fc.assert(
            fc.property(text, fc.string({ unit: "grapheme", maxLength: 2000 }), fc.nat(255), (said, stdin, code) => {
                const script = `printf %s ${shellQuote(said)}; cat; exit ${code}`;
                const seen = receive(Buffer.concat([frameScript(script), Buffer.from(stdin)]));
                assert.deepEqual(seen, { stdout: `${STARTED}${said}${stdin}`, status: code });
            }),
            { numRuns: 100 },
        );
    });

    it("runs not at all when it was cut off, wherever that was", () => {
        const whole = frameScript("echo did something\necho and more\n");
        for (let length = 0; length < whole.length; length++) {
            const { stdout, status } = receive(whole.subarray(0, length));
            assert.equal(stdout, STARTED, `cut off after ${length} bytes`);
            assert.notEqual(status, 0);
        }
        assert.equal(receive(whole).stdout, `${STARTED}did something\nand more\n`);
    });

    it("is not confused by a password that sudo did not ask for", () => {
        const seen = receive(Buffer.concat([Buffer.from("secret word\n"), frameScript("cat"), Buffer.from("mine")]));
        assert.deepEqual(seen, { stdout: `${STARTED}mine`, status: 0 });
    });
});
