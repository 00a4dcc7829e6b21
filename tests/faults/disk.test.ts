import assert from "node:assert/strict";

import { Etcd3 } from "etcd3";

import { etcdctlCommand, eventually, voters } from "../integration/fixture";
import { FaultBed, lookAfter } from "./faultBed";
import { rootOf } from "./signs";
import { flipBit, type Where } from "./writeAheadLog";

/** Filled within seconds, and large enough for the clients. */
const QUOTA_BYTES = 48 * 1024 * 1024;

describe("fault: what can happen to a member's disk and database", () => {
    const cluster = "disk";
    const all = ["a", "b", "c"];
    const dataDir = `/var/lib/etcd/${cluster}`;
    let site: FaultBed;

    before(async () => {
        site = await FaultBed.open(cluster, "10.107.3", 3, { tuning: { quotaBackendBytes: QUOTA_BYTES } });
        await prepare();
    });

    async function prepare(): Promise<void> {
        // A disk of its own for the data: enough for what the preflight asks for, and soon full.
        await site.host("c").output(`mkdir -p ${dataDir} && mount -t tmpfs -o size=900m,mode=700 none ${dataDir}`);
        await site.mustUp(3);
    }

    /** What an operator types against NOSPACE. */
    async function makeRoom(): Promise<void> {
        const [, revision = ""] = /"revision":(\d+)/.exec(await site.etcdctl("a", "get x --write-out json")) ?? [];
        await site.etcdctl("a", `compact ${revision}`).catch((error: unknown) => {
            // Nothing was written since the last time.
            if (!String(error).includes("required revision has been compacted")) throw error;
        });
        for (const name of all) await site.etcdctl(name, "defrag");
        await site.etcdctl("a", "alarm disarm");
    }

    /** As etcd's own corruption check does. */
    async function raiseCorrupt(name: string): Promise<void> {
        const { operator } = (await site.project.outputs())[cluster]!;
        const client = new Etcd3({
            hosts: `https://${site.host("a").address}:2379`,
            credentials: {
                rootCertificate: Buffer.from(operator.ca),
                privateKey: Buffer.from(operator.key),
                certChain: Buffer.from(operator.cert),
            },
            grpcOptions: { "grpc.enable_http_proxy": 0 },
        });
        try {
            const memberID = BigInt(`0x${await site.memberId("a", name)}`).toString();
            await client.maintenance.alarm({ action: "Activate", memberID, alarm: "Corrupt" });
        } finally {
            client.close();
        }
    }

    lookAfter(() => site, prepare);

    it("a full data directory stops its member alone; the run says whose and why, and room is all it takes", async () => {
        const c = site.host("c");
        await site.work("the data directory is full");
        await c.output(`head -c 1G /dev/zero > ${dataDir}/filler; systemctl kill --signal=KILL etcd-${cluster}; true`);
        await eventually("etcd gives up on the full disk", 60, async () => {
            assert.match(await c.journal(`etcd-${cluster}`), /no space left on device/);
        });
        await site.mustRefuse(3, /host "c" \(10\.107\.3\.13\): \/var\/lib\/etcd\/disk has \d+ MiB free/);
        await site.progress();
        await c.output(`rm ${dataDir}/filler`);
        await site.converges(3);
    });

    it("a member that differs (alarm CORRUPT) has destructive steps refused, with what to do", async () => {
        await site.work("alarm CORRUPT", 0);
        await raiseCorrupt("b");
        assert.match(await site.etcdctl("a", "alarm list"), /CORRUPT/);
        const before = await site.startTimes(all);
        const run = await site.mustRefuse(1, /member "b" has raised the alarm CORRUPT, so "/);
        const [, told = "", away = ""] =
            /its data differs .*: stop its etcd \((systemctl stop \S+)\) and move (\S+) away, then: etcdctl alarm disarm/.exec(
                run.text,
            ) ?? [];
        assert.equal(away, `${dataDir}/member`, run.text);
        assert.deepEqual(await site.startTimes(all), before);
        const id = await site.memberId("a", "b");
        await site.host("b").output(`${told}; mv ${away} /root/differs`);
        await site.etcdctl("a", "alarm disarm");
        await site.converges(3);
        assert.notEqual(await site.memberId("a", "b"), id);
    });

    const flips: readonly (readonly [Where, string, RegExp])[] = [
        ["data", "in what a record holds", /crc mismatch/],
        ["form", "in a record's form", /proto:\s/],
    ];
    for (const [where, what, words] of flips) {
        it(`a flipped bit in one member's write-ahead log, ${what}: it is removed, its data set aside, and it joins anew`, async () => {
            const b = site.host("b");
            const old = await site.memberId("a", "b");
            await site.work(`a bit of a write-ahead log flips, ${what}`);
            await b.output(`systemctl stop etcd-${cluster}`);
            flipBit(`${rootOf(b, site.bed.lab)}${dataDir}/member/wal`, where);
            await b.output(`systemctl start --no-block etcd-${cluster}`);
            await eventually("etcd finds the damage", 30, async () => {
                assert.match(await b.journal(`etcd-${cluster}`), words);
            });
            await site.progress();
            const run = await site.converges(3);
            assert.match(run.text, /remove member "b" \(\w+\): its write-ahead log is damaged/);
            assert.match(run.text, /stop etcd on "b" and move its data aside/);
            assert.notEqual(await site.memberId("a", "b"), old);
        });
    }

    it("an emptied write-ahead log: its unit does not start without it, its data is set aside, and it joins anew", async () => {
        const b = site.host("b");
        const old = await site.memberId("a", "b");
        await site.work("a write-ahead log is emptied");
        await b.output(`rm ${dataDir}/member/wal/*; systemctl restart --no-block etcd-${cluster}`);
        await eventually("the unit refuses", 30, async () => {
            assert.match(await b.journal(`etcd-${cluster}`), /there is no etcd data in/);
        });
        await site.progress();
        assert.equal(await b.output("pgrep -x etcd; true"), "");
        const run = await site.converges(3);
        assert.match(run.text, /remove member "b" \(\w+\).*: its host has no data/);
        assert.notEqual(await site.memberId("a", "b"), old);
        await b.output(`ls -d ${dataDir}.2*/member/snap`);
    });

    it("a full directory of snapshots: no voter is removed, the partial snapshot is gone, the old one is kept", async () => {
        const directory = `${dataDir}.snapshots`;
        const old = `${directory}/20200101T000000Z.db`;
        const hosts = ["a", "b"].map((name) => site.host(name));
        await site.work("the directory of snapshots is full");
        for (const host of hosts) {
            await host.output(`mkdir -p ${directory} && mount -t tmpfs -o size=64k,mode=700 none ${directory}`);
            await host.output(`head -c 8192 /dev/urandom > ${old}`);
        }
        const look = (): Promise<readonly string[]> =>
            Promise.all(hosts.map((host) => host.output(`cd ${directory} && ls -A && sha256sum *`)));
        const before = await look();
        const even = { allowEvenSize: true };
        await site.mustRefuse(
            ["a", "b"],
            /take a snapshot on "[ab]", then remove member "c".*: .*no space left/i,
            even,
        );
        assert.deepEqual(await look(), before);
        assert.deepEqual(await voters(site.host("a"), cluster), all);
        for (const host of hosts) await host.output(`umount ${directory}`);
        await site.converges(["a", "b"], even);
        await site.mustUp(3);
    });

    // The last one: it compacts the history, which clients of a later test would watch from its beginning.
    it("a full database (alarm NOSPACE) has destructive steps refused, with what to do", async () => {
        await site.work("alarm NOSPACE", 0);
        const big = "head -c 1000000 /dev/urandom | base64 --wrap 0 | head -c 1000000";
        const etcdctl = etcdctlCommand(site.host("a"), cluster);
        const filled = await site
            .host("a")
            .run(`for n in $(seq 80); do ${big} | ${etcdctl} put fill/$n || exit 3; done`, { timeoutSeconds: 120 });
        assert.equal(filled.code, 3);
        assert.match(filled.stderr, /database space exceeded/);
        const before = await site.startTimes(all);
        const run = await site.mustRefuse(
            1,
            /has raised the alarm NOSPACE, so ".*(remove member|move the lead).*" is not done/,
        );
        assert.match(run.text, /clear its cause, then: etcdctl alarm disarm/);
        assert.deepEqual(await site.startTimes(all), before);
        await site.isWhole(all);
        // A larger quota is what there is room for. It takes a restart, which is not refused.
        const larger = { tuning: { quotaBackendBytes: 2 * QUOTA_BYTES } };
        const restarts = (await site.mustUp(3, larger)).text.match(/\d\/\d restart "/g);
        assert.ok(restarts !== null && restarts.length >= 3, restarts?.join());
        await site.etcdctl("a", "alarm disarm");
        await site.progress();
        assert.doesNotMatch(await site.etcdctl("b", "alarm list"), /NOSPACE/);
        await site.etcdctl("a", "del fill/ --prefix");
        await makeRoom();
        await site.converges(3);
    });
});
