import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";

import { passSignals } from "../../toolchain/signals";

describe("signals for a program that this process has started", () => {
    const listeners = (): readonly number[] =>
        ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => process.listenerCount(signal));

    it("are handed on until it has ended, and end this process again from then on", async () => {
        const before = listeners();
        const child = spawn("sleep", ["60"]);
        passSignals(child);
        process.kill(process.pid, "SIGTERM");
        assert.deepEqual(await once(child, "exit"), [null, "SIGTERM"]);
        assert.deepEqual(listeners(), before);
    });
});
