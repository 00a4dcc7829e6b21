import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { closeLab } from "../../lab";
import { execute } from "../../lab/command";
import { until } from "../../lab/poll";

const checkout = join(__dirname, "../..");
const program = [process.execPath, "--require", join(checkout, "toolchain/register.js"), join(checkout, "lab/cli.ts")];
const up = [...program, "up", "labtest-machine", "--hosts", "a=10.99.16.11"];

describe("lab: the machine that it runs on", () => {
    after(() => closeLab("labtest-machine"));

    it("must let it be root, which is said in one line", async () => {
        const { stderr, code } = await execute("unshare", ["--user", "--map-user=1000", ...up]);
        assert.deepEqual(
            [stderr, code],
            ["error: the lab needs root, to make namespaces, mounts and control groups: run it with sudo\n", 1],
        );
    });

    it("must have some programs, whose packages are named where it cannot install them itself", async () => {
        const [node = "", ...args] = up;
        const { stderr, code } = await execute(node, args, { environment: { PATH: "/nonexistent" } });
        assert.equal(code, 1);
        assert.match(
            stderr,
            /^error: systemd-nspawn, .* are missing: install .*\(on Debian: systemd-container .*\)\n$/,
        );
    });

    it("is left clean by the making of an image that is killed", async () => {
        const cache = mkdtempSync(join(tmpdir(), "lab-image-"));
        const [node = "", ...args] = up;
        const child = spawn(node, args, { env: { ...process.env, XDG_CACHE_HOME: cache }, stdio: "ignore" });
        try {
            await until(() => processesAt(cache).some((command) => command.includes("mmdebstrap")), {
                seconds: 60,
                message: () => "the making did not begin",
            });
            child.kill("SIGKILL");
            await once(child, "exit");
            await until(() => processesAt(cache).length === 0, {
                seconds: 10,
                message: () => `still there: ${processesAt(cache).join("; ")}`,
            });
            assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(cache));
        } finally {
            child.kill("SIGKILL");
            rmSync(cache, { recursive: true });
        }
    });
});

/** Command lines of processes that were given a path below the directory. */
function processesAt(directory: string): readonly string[] {
    return readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map((pid) => {
            try {
                return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
            } catch {
                return "";
            }
        })
        .filter((command) => command.includes(directory));
}
