import assert from "node:assert/strict";

import { locked, type LockedWork } from "../../components/membership/locked";
import { pool } from "../../components/remote/connectionPool";
import { LockHeldError, type RemoteError } from "../../components/remote/errors";
import { exclusiveScript } from "../../components/remote/hostLock";
import { acquireLock, type LockOptions } from "../../components/remote/lock";
import type { SshTarget } from "../../components/remote/target";
import { LAB_USERS, type Lab, type LabHost } from "../../lab";
import { failure, openHosts, targetOf, withPool } from "./hosts";
import { Program } from "./program";
import { until } from "./until";

describe("A cluster's lock", () => {
    const options: LockOptions = { cluster: "one", holder: "ada@desk, process 1, stack tools", waitSeconds: 0 };
    let lab: Lab;
    beforeEach(async () => {
        lab = await openHosts();
    });
    after(() => openHosts());

    const targets = (changes: Partial<SshTarget> = {}): SshTarget[] =>
        lab.hosts.map((host) => targetOf(lab, host, changes));

    /** Takes the lock in this process, with connections of its own, and gives it back after `use`. */
    const holding = async <T>(where: readonly SshTarget[], how: LockOptions, use: () => Promise<T>): Promise<T> =>
        withPool(async (pool) => {
            const lock = await acquireLock(await Promise.all(where.map((target) => pool.connect(target))), how);
            try {
                return await use();
            } finally {
                await lock.release();
            }
        });
    const isFree = async (): Promise<boolean> => holding(targets(), options, () => Promise.resolve(true));

    /** Another process that holds the lock. */
    const otherHolder = async (
        where: readonly SshTarget[],
        holder = "bob@lap, process 2, stack tools",
    ): Promise<Program> => {
        const program = new Program("lockProgram.ts", { ...options, targets: where, holder });
        await program.says("has the lock");
        return program;
    };

    it("is refused while somebody has it, by who that is and since when", async () => {
        await holding(targets(), options, async () => {
            await assert.rejects(
                holding(targets(), { ...options, holder: "bob" }, () => Promise.resolve()),
                (error) => {
                    assert.ok(error instanceof LockHeldError);
                    assert.equal(error.holder, options.holder);
                    assert.ok(Math.abs(Date.parse(error.since ?? "") - Date.now()) < 60_000, error.since);
                    return failure(
                        "lock-held",
                        `root@${lab.host("a").address}`,
                        options.holder,
                        `cluster "one"`,
                    )(error);
                },
            );
        });
        assert.ok(await isFree());
    });

    it("of one cluster is none of another's business", async () => {
        const other = { ...options, cluster: "one-more" };
        assert.equal(
            await holding(targets(), options, () => holding(targets(), other, () => Promise.resolve("both"))),
            "both",
        );
    });

    it("is waited for, and it is told for whom", async () => {
        const heard: (string | undefined)[] = [];
        const order: string[] = [];
        const waiting = {
            ...options,
            holder: "bob",
            waitSeconds: 30,
            onWait: (why: RemoteError) => heard.push((why as LockHeldError).holder),
        };
        let second = Promise.resolve();
        await holding(targets(), options, async () => {
            second = holding(targets(), waiting, () => Promise.resolve(void order.push("second")));
            await until("the second one waits", 20, () => heard.length > 0);
            order.push("first");
        });
        await second;
        assert.deepEqual({ order, heard }, { order: ["first", "second"], heard: [options.holder] });
    });

    for (const who of ["root", "admin", "operator"] as const) {
        it(`is free soon after its holder was killed (as ${who})`, async () => {
            const sudoPassword = who === "operator" ? { sudoPassword: LAB_USERS.operator.password } : {};
            const program = await otherHolder(targets({ user: who, ...sudoPassword }));
            await program.end("SIGKILL");
            assert.ok(await holding(targets(), { ...options, waitSeconds: 5 }, () => Promise.resolve(true)));
        });
    }

    describe("when a step of a run that was ended still goes on", () => {
        async function endedRun(step: string): Promise<{ readonly host: LabHost; readonly target: SshTarget }> {
            const [host] = lab.hosts;
            assert.ok(host);
            const target = targetOf(lab, host);
            await withPool(async (pool) => {
                const connection = await pool.connect(target);
                connection.run(exclusiveScript("one", `echo > /run/step-begun; ${step}`)).catch(() => {});
                await until("the step has begun", 10, async () => (await host.run("ls /run/step-begun")).code === 0);
            });
            await host.output("rm /run/step-begun");
            return { host, target };
        }

        it("is had when that is done, and who waits is told", async () => {
            const { host, target } = await endedRun("sleep 4; echo > /run/step-done");
            const heard: string[] = [];
            const onWait = (why: RemoteError): void => void heard.push(why.message);
            const seen = await holding([target], { ...options, onWait }, () => host.run("ls /run/step-done"));
            assert.equal(seen.code, 0, "the step was still going on");
            assert.equal(heard.length, 1);
            assert.match(heard[0]!, /a step that a run began before it was ended still goes on/);
        });

        it("is waited for once, and given up with what to do", async () => {
            const { host, target } = await endedRun("sleep 600 & echo $! > /run/step; wait");
            const heard: string[] = [];
            const onWait = (why: RemoteError): void => void heard.push(why.message);
            const impatient = { ...options, waitSeconds: 30, leftoverSeconds: 1, onWait };
            await assert.rejects(
                holding([target], impatient, () => Promise.resolve(true)),
                failure("step-unfinished", `root@${target.address}`, "once it is done, run again"),
            );
            assert.equal(heard.length, 1);
            await host.output('kill "$(cat /run/step)"');
            assert.ok(await holding([target], options, () => Promise.resolve(true)));
        });
    });

    it("is free some seconds after its holder froze, who then knows that it is lost", async () => {
        const program = await otherHolder(targets());
        program.child.kill("SIGSTOP");
        assert.ok(await holding(targets(), { ...options, waitSeconds: 30 }, () => Promise.resolve(true)));
        program.child.kill("SIGCONT");
        await program.says("lost the lock: lock-lost");
        assert.equal(await program.exited, 0);
    });

    it("is known as lost before the host lets go, when the network between is cut", async () => {
        const [host] = lab.hosts;
        assert.ok(host);
        const program = await otherHolder([targetOf(lab, host)]);
        await host.cut();
        const isHeldThere = async (): Promise<boolean> =>
            (await host.run("flock -n /run/pulumi-etcd-membership-one.lock true")).code !== 0;
        assert.ok(await isHeldThere());
        await program.says("lost the lock: lock-lost");
        assert.ok(await isHeldThere(), "the host must not let go before its holder knows");
        await until("the host lets go", 15, async () => !(await isHeldThere()));
        await program.exited;
    });

    it("is known as lost at once when a host goes down", async () => {
        const program = await otherHolder(targets());
        await lab.host("b").kill();
        await program.says("lost the lock: lock-lost");
        await program.exited;
        await lab.host("b").start();
        assert.ok(await isFree());
    });

    it("is never had by two, and nobody waits for ever, whatever the order in which hosts are named", async () => {
        const ROUNDS = 5;
        let [inside, most, turns] = [0, 0, 0];
        const takeTurns = async (where: readonly SshTarget[], holder: string): Promise<void> => {
            for (let round = 0; round < ROUNDS; round++) {
                await holding(where, { ...options, holder, waitSeconds: 60 }, async () => {
                    inside += 1;
                    most = Math.max(most, inside);
                    turns += 1;
                    await new Promise(setImmediate);
                    inside -= 1;
                });
            }
        };
        const all = targets();
        await Promise.all([
            takeTurns(all, "ada"),
            takeTurns([...all].reverse(), "bob"),
            takeTurns(all.slice(1), "cy"), // One host was out of reach for this one.
        ]);
        assert.deepEqual({ most, turns }, { most: 1, turns: 3 * ROUNDS });
    });

    it("is given up in bounded time where the shell never starts, or left out where the host may be silent", async () => {
        const [host, other] = [lab.host("a"), lab.host("b")];
        await host.output(
            `printf '#!/bin/sh\\nexec sleep 3600\\n' > /usr/local/bin/mute && chmod 755 /usr/local/bin/mute && usermod -s /usr/local/bin/mute admin`,
        );
        try {
            const mute = targetOf(lab, host, { user: "admin" });
            await assert.rejects(
                holding([mute], options, () => Promise.resolve(true)),
                failure("command-timeout", `admin@${host.address}`, "within 15 s"),
            );
            await withPool(async (pool) => {
                const [silent, well] = [await pool.connect(mute), await pool.connect(targetOf(lab, other))];
                const lock = await acquireLock([silent, well], { ...options, mayBeSilent: new Set([silent]) });
                lock.assertHeld();
                assert.deepEqual([...lock.away.keys()], [silent]);
                const { code } = await other.run("flock -n /run/pulumi-etcd-membership-one.lock true");
                assert.equal(code, 1);
                await lock.release();
            });
        } finally {
            await host.output("usermod -s /bin/bash admin");
        }
    });

    const work = { cluster: "one", stack: "tools", mayHaveTwins: false, waitSeconds: 0, commandSeconds: 60 };

    describe("where a shell starts late", () => {
        const late = (): { readonly ssh: SshTarget } => ({ ssh: targetOf(lab, lab.host("a"), { user: "admin" }) });
        const startsAfter = (seconds: number): Promise<string> =>
            lab
                .host("a")
                .output(
                    `printf '#!/bin/sh\\nsleep ${seconds}\\nexec /bin/sh "$@"\\n' > /usr/local/bin/late && chmod 755 /usr/local/bin/late && usermod -s /usr/local/bin/late admin`,
                );
        const awayOf = (changes: Partial<LockedWork>): Promise<readonly string[]> =>
            locked({ ...work, hosts: [late()], ...changes }, (lock) => {
                lock.assertHeld();
                return Promise.resolve([...lock.away.values()].map(String));
            });

        afterEach(async () => {
            pool.closeAll();
            await lab.host("a").output("usermod -s /bin/bash admin");
        });

        it("is waited for as long as a command may take", async () => {
            await startsAfter(17);
            assert.deepEqual(await awayOf({}), []);
        });

        it("is waited for some seconds, however short a command is to be", async () => {
            await startsAfter(3);
            assert.deepEqual(await awayOf({ commandSeconds: 1 }), []);
        });

        it("is waited for some seconds where the host is declared no more, however long a command may take", async () => {
            await startsAfter(17);
            const hosts = [late()];
            const [why] = await awayOf({ hosts, leaving: hosts });
            assert.match(why ?? "", /not done within 15 s/);
        });
    });

    describe("where a host lets us in and refuses us", () => {
        const well = (): { readonly ssh: SshTarget } => ({ ssh: targetOf(lab, lab.host("b")) });
        const refusals = [
            ["sudo", "operator", /sudo wants a password/],
            ["its shell", "admin", /not available/],
        ] as const;

        beforeEach(() => lab.host("a").output("usermod -s /usr/sbin/nologin admin"));
        afterEach(async () => {
            pool.closeAll();
            await lab.host("a").output("usermod -s /bin/bash admin");
        });

        for (const [what, user, says] of refusals) {
            it(`is left out if that host is declared no more, and had nowhere if it is to be cleared (${what})`, async () => {
                const refusing = { ssh: targetOf(lab, lab.host("a"), { user }) };
                const hosts = [refusing, well()];
                const away = await locked({ ...work, hosts, leaving: [refusing] }, (lock) => {
                    lock.assertHeld();
                    return Promise.resolve(lock.away);
                });
                assert.deepEqual([...away.keys()], [refusing.ssh]);
                assert.match(String(away.get(refusing.ssh)), says);
                const cleared = locked({ ...work, hosts, ending: hosts }, () => Promise.resolve());
                await assert.rejects(cleared, says);
            });
        }

        it("is nobody's if somebody works on a host that is declared no more", async () => {
            const hosts = [{ ssh: targetOf(lab, lab.host("a")) }, well()];
            await holding([hosts[0]!.ssh], options, async () => {
                const taken = locked({ ...work, hosts, leaving: hosts.slice(0, 1) }, () => Promise.resolve());
                await assert.rejects(taken, failure("lock-held", options.holder));
            });
        });
    });

    it("of ten clusters is held on one host, and scripts run beside", async () => {
        await withPool(async (pool) => {
            const connection = await pool.connect(targetOf(lab, lab.host("a")));
            const names = Array.from({ length: 10 }, (_, index) => `many-${index}`);
            const take = () => Promise.all(names.map((cluster) => acquireLock([connection], { ...options, cluster })));
            for (let round = 0; round < 3; round++) {
                const locks = await take();
                const seen = await Promise.all(names.map((name) => connection.run(`echo ${name}`)));
                assert.deepEqual(
                    seen.map(({ stdout }) => stdout.trim()),
                    names,
                );
                locks.forEach((lock) => lock.assertHeld());
                await Promise.all(locks.map((lock) => lock.release()));
            }
        });
    });

    it("on a connection that is named twice is taken once", async () => {
        const [target] = targets();
        assert.ok(target);
        assert.equal(await holding([target, target], options, () => Promise.resolve("fine")), "fine");
    });

    it("leaves nobody's name behind", async () => {
        await holding(targets(), options, () => Promise.resolve());
        assert.equal(await lab.host("a").readFile("/run/pulumi-etcd-membership-one.lock"), "");
    });
});
