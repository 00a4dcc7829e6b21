import assert from "node:assert/strict";

import type { Lab, LabHost } from "../../lab";
import { failure, openHosts, targetOf, withPool } from "./hosts";
import { until } from "./until";

describe("A host that falls silent", () => {
    let lab: Lab;
    let host: LabHost;
    beforeEach(async () => {
        lab = await openHosts();
        host = lab.host("a");
    });
    after(() => openHosts());

    const silences: readonly (readonly [string, (silent: LabHost) => Promise<void>])[] = [
        ["whose network is cut", (silent) => silent.cut()],
        ["that is frozen", (silent) => silent.freeze()],
        ["whose power is cut", (silent) => silent.kill()],
    ];

    for (const [how, silence] of silences) {
        it(`${how}, is told as unreachable within the time for connecting`, async () => {
            await silence(host);
            const target = targetOf(lab, host, { connectTimeoutSeconds: 2 });
            const refused = withPool((pool) => pool.connect(target));
            await assert.rejects(refused, failure("unreachable", `root@${host.address}`, "can't be reached"));
        });

        it(`${how}, ends what runs there, long before that would be late`, async () => {
            await withPool(async (pool) => {
                const connection = await pool.connect(targetOf(lab, host));
                const running = assert.rejects(
                    connection.run("echo begun > /tmp/begun; sleep 1000", { timeoutSeconds: 1000 }),
                    failure("connection-lost", "the connection broke"),
                );
                await until("the script runs", 60, async () => (await host.run("test -e /tmp/begun")).code === 0);
                await silence(host);
                await running;
                assert.equal(connection.isAlive, false);
            });
        });
    }

    it("and lies behind a bastion is told by its own name, and the bastion's", async () => {
        const bastion = targetOf(lab, lab.host("b"));
        await host.cut();
        const target = targetOf(lab, host, { bastion, connectTimeoutSeconds: 2 });
        await assert.rejects(
            withPool((pool) => pool.connect(target)),
            failure("unreachable", `root@${host.address}`, `through root@${lab.host("b").address}`),
        );
    });

    it("and comes back is connected to again", async () => {
        await withPool(async (pool) => {
            const target = targetOf(lab, host, { connectTimeoutSeconds: 2 });
            const first = await pool.connect(target);
            await host.reboot();
            await until("the old connection is known to be dead", 60, () => !first.isAlive);
            assert.equal(await (await pool.connect(target)).runOrThrow("say", "echo back"), "back\n");
        });
    });

    it("is asked once by all who want it at the same time, and again by who comes later", async () => {
        await host.cut();
        await withPool(async (pool) => {
            const target = targetOf(lab, host, { connectTimeoutSeconds: 2 });
            const tries = await Promise.allSettled([pool.connect(target), pool.connect(target)]);
            const [first, second] = tries.map((attempt) =>
                attempt.status === "rejected" ? attempt.reason : undefined,
            );
            assert.ok(first instanceof Error);
            assert.equal(first, second);
            await host.heal();
            assert.equal(await (await pool.connect(target)).runOrThrow("say", "echo back"), "back\n");
        });
    });
});
