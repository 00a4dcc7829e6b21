import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Observer } from "../../../components/membership/observe";
import type { HostSeen, Member, Observation } from "../../../components/membership/types";
import { isDead } from "../../../components/membership/world";
import type { ConnectionPool } from "../../../components/remote/connectionPool";
import { EtcdError, type RemoteErrorKind } from "../../../components/remote/errors";
import type { EtcdClient } from "../../../components/remote/etcdClient";
import type { RunResult } from "../../../components/remote/ssh";
import { wanted } from "../adoption/found";

const credentials = { ca: "", cert: "", key: "" };

/** Hosts that answer scripts, and members that answer as they are told. */
class Sight extends Observer {
    constructor(
        run: (script: string) => RunResult,
        private readonly answers: Readonly<Record<string, Partial<EtcdClient>>> = {},
        hosts = wanted.hosts,
    ) {
        const connection = { run: (script: string) => Promise.resolve(run(script)) };
        const pool = { connect: () => Promise.resolve(connection) } as unknown as ConnectionPool;
        super({ ...wanted, hosts }, pool, credentials, "ssh");
    }

    override client(key: string): Promise<EtcdClient> {
        const answers = this.answers[key];
        return answers ? Promise.resolve(answers as EtcdClient) : Promise.reject(new Error("deadline exceeded"));
    }
}

describe("a look at a host", () => {
    let programs: string;

    before(() => {
        programs = mkdtempSync(join(tmpdir(), "look-"));
    });

    after(() => rmSync(programs, { recursive: true }));

    /** Runs it here, where systemctl is what is given. */
    function run(script: string, systemctl: string): RunResult {
        const file = join(programs, "systemctl");
        writeFileSync(file, `#!/bin/sh\n${systemctl}\n`);
        chmodSync(file, 0o755);
        const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` };
        const { status, stdout, stderr } = spawnSync("sh", { input: script, env, encoding: "utf8" });
        return { code: status ?? 137, stdout, stderr };
    }

    async function reachOf(answer: (script: string) => RunResult): Promise<HostSeen["reach"]> {
        return (await new Sight(answer).observe()).hosts.a!.reach;
    }

    const active = "printf 'LoadState=loaded\\nActiveState=active\\n'";

    it("that was cut off anywhere says nothing about the host", async () => {
        let whole: RunResult | undefined;
        assert.deepEqual(await reachOf((script) => (whole = run(script, active))), { ok: true });
        const { stdout } = whole!;
        assert.match(stdout, /ActiveState=active/);
        for (let length = 0; length < stdout.length; length += 1) {
            const { ok } = await reachOf(() => ({ code: 0, stdout: stdout.slice(0, length), stderr: "" }));
            assert.equal(ok, false, stdout.slice(0, length));
        }
        const killed = await reachOf(() => ({ ...whole!, code: 137 }));
        assert.deepEqual(killed, { ok: false, reason: "could not be looked at: its shell ended with exit code 137" });
    });

    it("at which systemd does not say what runs says nothing about the host, and why", async () => {
        const reach = await reachOf((script) => run(script, "echo 'Failed to get properties: timed out' >&2; exit 1"));
        const reason = "could not be looked at: its shell ended with exit code 1: Failed to get properties: timed out";
        assert.deepEqual(reach, { ok: false, reason });
    });

    it("tells a member that no way leads to from one that gives no answer", async () => {
        const sight = new Sight((script) => run(script, active), {
            a: { status: () => Promise.reject(fails("forward-refused")), close: () => {} },
            b: { status: () => Promise.reject(fails("port-closed")), close: () => {} },
        });
        const { hosts } = await sight.observe();
        assert.match(hosts.a!.barred ?? "", /no way/);
        assert.equal(hosts.b!.barred, undefined);
        assert.equal(hosts.c!.barred, undefined);
    });

    function fails(inTheWay: RemoteErrorKind): EtcdError {
        return new EtcdError("unavailable", "a", "no way", "status: no way", inTheWay);
    }

    describe("whose member is up and answers nobody", () => {
        const members = ["a", "b", "c"].map((name, index) => ({
            id: `${index + 1}`,
            name,
            peerUrls: [wanted.hosts[index]!.peerUrl],
            clientUrls: [],
            isLearner: false,
        }));

        async function seeB(
            activePeers: EtcdClient["activePeers"],
            changes: Partial<Member> = {},
        ): Promise<Observation> {
            const list = members.map((member) => (member.name === "b" ? { ...member, ...changes } : member));
            const answering = (memberId: string): Partial<EtcdClient> => ({
                status: () =>
                    Promise.resolve({
                        memberId,
                        clusterId: "c1",
                        leaderId: "1",
                        raftIndex: 10,
                        isLearner: false,
                        version: wanted.version,
                        dbSizeBytes: 1,
                        raftAppliedIndex: 10,
                        raftTerm: 2,
                        errors: [],
                    }),
                isHealthy: () => Promise.resolve(true),
                memberList: () => Promise.resolve(list),
                alarms: () => Promise.resolve([]),
                activePeers,
                close: () => {},
            });
            const answers = { a: answering("1"), c: answering("3") };
            const hosts = wanted.hosts.map((host, index) => ({ ...host, peerUrl: list[index]!.peerUrls[0]! }));
            const sight = new Sight((script) => run(script, active), answers, hosts);
            return sight.observe();
        }

        const isBDead = (seen: Observation): boolean => isDead({ seen, wanted }, members[1]!);

        const heard = (...peers: [id: string, isConnected: boolean][]): EtcdClient["activePeers"] => {
            const traffic = peers.map(([id, isConnected]) => [id, { isConnected, receivedBytes: 9 }] as const);
            return () => Promise.resolve(new Map(traffic));
        };

        it("takes it for dead when the leader does not hear it", async () => {
            assert.equal(isBDead(await seeB(heard(["3", true]))), true);
            assert.equal(isBDead(await seeB(heard(["2", true], ["3", true]))), false);
        });

        it("has the leader's host call a learner that the leader hears, and does not count as connected", async () => {
            const server = createServer().listen(0, "127.0.0.1");
            await once(server, "listening");
            const peerUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
            const seen = async (changes: Partial<Member>, isConnected = false): Promise<HostSeen | undefined> =>
                (await seeB(heard(["2", isConnected]), { peerUrls: [peerUrl], ...changes })).hosts.b;
            const learner = { isLearner: true };
            assert.equal((await seen(learner))?.servesPeers, true);
            assert.equal(
                (await seen({ isLearner: false }))?.servesPeers,
                false,
                "a voter's certificate is not looked at",
            );
            await new Promise((resolve) => server.close(resolve));
            const { servesPeers, isUncallable } = (await seen(learner))!;
            assert.deepEqual({ servesPeers, isUncallable }, { servesPeers: false, isUncallable: true });
            assert.equal((await seen(learner, true))?.servesPeers, true);
        });

        it("does not when the leader does not say whom it hears", async () => {
            assert.equal(isBDead(await seeB(() => Promise.reject(new Error("GET /metrics answers 500")))), false);
        });
    });
});
