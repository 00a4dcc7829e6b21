import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";

const register = join(__dirname, "..", "..", "..", "toolchain", "register.js");

describe("the process that runs our resources", () => {
    it("ends when nobody reads what it says any more, and does not report that for ever", async () => {
        const engine = createServer().listen(0, "127.0.0.1");
        await once(engine, "listening");
        const address = `127.0.0.1:${(engine.address() as AddressInfo).port}`;
        const plugin = spawn(process.execPath, ["-r", register, join(__dirname, "talker.ts"), address], {
            stdio: ["ignore", "pipe", "pipe"],
        });
        await once(plugin.stdout, "data");
        const deadline = setTimeout(() => plugin.kill("SIGKILL"), 10_000);

        plugin.stdout.destroy();
        plugin.stderr.destroy();

        const [code, signal] = (await once(plugin, "exit")) as [number | null, string | null];
        clearTimeout(deadline);
        engine.close();
        assert.deepEqual({ code, signal }, { code: 1, signal: null });
    });
});
