import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { closeLab, openLab } from "../../lab";
import { ControlGroup } from "../../lab/controlGroup";
import { execute } from "../../lab/command";
import { until } from "../../lab/poll";
import { environmentDirectory, hostDirectory } from "../../lab/state";
import { overSsh } from "./login";
import { tracesOf } from "./traces";

const environment = "labtest-killed";
const hosts = ["a", "b", "c"].map((name, index) => ({ name, address: `10.99.10.${11 + index}` }));
const checkout = join(__dirname, "../..");

const inEnvironment = (name: string) => existsSync(join(environmentDirectory(environment), name));
const inHost = (name: string) => existsSync(join(hostDirectory(environment, "b"), name));

/** How far `up` has come when it is killed. */
const moments: readonly (readonly [string, () => boolean])[] = [
    ["it has reserved the addresses", () => inEnvironment("environment.json")],
    ["it has made the switch", () => inEnvironment("switch")],
    ["it has made a key", () => inEnvironment("id_ed25519")],
    ["it is filling a host's storage", () => inHost("upper.partial") || inHost("upper")],
    ["it is about to power a host on", () => inHost("boot.conf")],
    ["a host has its power supply", () => inHost("power.lock")],
    ["a host has processes", () => new ControlGroup(environment, "b").isPopulated()],
    ["a host's systemd runs", () => new ControlGroup(environment, "b").initProcess() !== undefined],
];

describe("lab: a run that is killed", () => {
    beforeEach(() => closeLab(environment));
    after(() => closeLab(environment));

    for (const [moment, hasCome] of moments) {
        it(`when ${moment}: the next up repairs it`, async () => {
            await killUpWhen(hasCome);
            const lab = await openLab({ environment, hosts });
            for (const host of lab.hosts) {
                assert.equal((await overSsh(lab, host, "admin", "hostname")).stdout, `${host.name}\n`);
                assert.equal(await host.output("systemctl is-system-running --wait"), "running\n");
                assert.equal(await host.connect(lab.host("a").address, 22), true);
            }
            assert.equal((await powerSupplies()).length, hosts.length);
        });

        it(`when ${moment}: down leaves nothing`, async () => {
            await killUpWhen(hasCome);
            await closeLab(environment);
            assert.deepEqual(await tracesOf(environment), []);
        });
    }

    it("in its down: the next down leaves nothing", async () => {
        await openLab({ environment, hosts });
        const child = cli("down", environment);
        await until(() => !new ControlGroup(environment, "a").isPopulated(), {
            seconds: 60,
            everyMs: 1,
            message: () => "down did not begin",
        });
        child.kill("SIGKILL");
        await closeLab(environment);
        assert.deepEqual(await tracesOf(environment), []);
    });
});

/** Kills, with no chance to clean up, the one process that brings the environment up. */
async function killUpWhen(hasCome: () => boolean): Promise<void> {
    const child = cli("up", environment, "--hosts", hosts.map(({ name, address }) => `${name}=${address}`).join(","));
    await until(hasCome, { seconds: 60, everyMs: 1, message: () => "up did not come that far" });
    child.kill("SIGKILL");
    await once(child, "exit");
}

function cli(...args: readonly string[]) {
    const program = ["--require", join(checkout, "toolchain/register.js"), join(checkout, "lab/cli.ts")];
    return spawn(process.execPath, [...program, ...args], { cwd: checkout, stdio: "ignore" });
}

/** Those that are not a later stage of the same host's boot. */
async function powerSupplies(): Promise<readonly string[]> {
    const pattern = `^sh ${environmentDirectory(environment)}/hosts/[abc]/boot.sh [^ ]*$`;
    return (await execute("pgrep", ["--full", pattern])).stdout.split("\n").filter(Boolean);
}
