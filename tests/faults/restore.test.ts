import assert from "node:assert/strict";
import { copyFileSync, existsSync, lstatSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

import type { EtcdClusterArgs } from "../../components";
import { isAtLeast } from "../../components/host/version";
import { step, told } from "../integration/moments";
import { statusOf } from "../integration/fixture";
import { Project } from "../integration/project";
import { FaultBed, lookAfter } from "./faultBed";
import { rootOf } from "./signs";

describe("fault: a cluster that has to begin anew from a snapshot", () => {
    const cluster = "restore";
    const all = ["a", "b", "c"];
    const snapshot = "/root/snapshot.db";
    let site: FaultBed;

    before(async () => {
        site = await FaultBed.open(cluster, "10.107.11", 4);
        await site.mustUp(all);
    });

    lookAfter(
        () => site,
        () => site.mustUp(all),
    );

    async function clusterId(): Promise<string> {
        return (await site.project.outputs())[cluster]!.clusterId;
    }

    async function from(path = snapshot): Promise<Partial<EtcdClusterArgs>> {
        return { restore: { snapshot: path, replaces: await clusterId() } };
    }

    async function valueOf(name: string, key: string): Promise<string> {
        return (await site.etcdctl(name, `get ${key} --print-value-only`)).trim();
    }

    function setAside(name: string): Promise<string> {
        return site.host(name).output(`cd /var/lib/etcd; ls -d ${cluster}.2* ${cluster}/set-aside/* 2>/dev/null; true`);
    }

    /** The oracle after a restore: members are whole and serve clients, and a further run changes nothing. */
    async function isAnew(names: readonly string[], changes: Partial<EtcdClusterArgs>, before: string): Promise<void> {
        assert.notEqual(await clusterId(), before);
        await site.work("after a restore");
        await site.progress(100);
        await site.endWork(names);
        await site.isDone(names, changes);
        for (const name of names)
            await site.host(name).output(`! ls -d /var/lib/etcd/${cluster}.restored /var/lib/etcd/${cluster}/restored`);
    }

    it("is told how, when it has lost its quorum for good, and begins anew from what the one that is left has", async () => {
        const before = await clusterId();
        await site.etcdctl("a", "put survivor kept");
        await Promise.all(["b", "c"].map((name) => site.host(name).rebuild()));
        const refused = await site.mustRefuse(all, /not until a quorum answers/);
        assert.match(
            refused.text,
            new RegExp(`restore: \\{ snapshot: "its path on a", replaces: "${before}" \\}`),
            refused.text,
        );
        await site.etcdctl("a", `snapshot save ${snapshot}`);
        const changes = await from();

        const run = await site.mustUp(all, changes);

        const kinds = told(run.text, cluster).flatMap(
            (line) => /^\d+\/\d+ (restore|stop|bootstrap)/.exec(line)?.[1] ?? [],
        );
        assert.deepEqual(kinds, ["restore", "stop", "bootstrap"]);
        for (const name of all) assert.equal(await valueOf(name, "survivor"), "kept");
        assert.notEqual(await setAside("a"), "");
        const { header, version } = await statusOf(site.host("a"), cluster);
        assert.equal(header.revision > 1_000_000_000, isAtLeast(version, "3.5.10"), `${header.revision}`);
        await isAnew(all, changes, before);
        await site.mustUp(all);
        await site.isDone(all);
    });

    it("goes back to a snapshot, though every run dies after its first step until nothing is left to do, and it becomes another one meanwhile", async () => {
        const before = await clusterId();
        await site.etcdctl("b", "put then older");
        await site.etcdctl("a", `snapshot save ${snapshot}.2`);
        await site.etcdctl("b", "put then kept");
        await site.etcdctl("a", `snapshot save ${snapshot}.newer`);
        await site.etcdctl("b", "del then");
        await site.etcdctl("b", "put later lost");
        const changes = await from(`${snapshot}.2`);
        const preview = await site.project.preview(site.declared(all, changes));
        assert.match(preview.text, /plan 1\/\d+: restore \/root\/snapshot\.db\.2 on "a"/);

        let deaths = 0;
        for (let isOver = false; !isOver;) {
            const running = site.project.startUp(site.declared(all, changes));
            let isKilled = false;
            running.process.stdout?.on("data", () => {
                if (!step(cluster, 1).test(running.printed())) return;
                isKilled = true;
                running.kill();
            });
            const run = await running.finished;
            if (isKilled) deaths += 1;
            // What was restored of the older one by now is none of this one.
            if (deaths === 1)
                await site.host("a").output(`[ ! -e ${snapshot}.newer ] || mv ${snapshot}.newer ${snapshot}.2`);
            if (!isKilled) assert.equal(run.code, 0, run.text);
            isOver = !isKilled;
            await site.project.cancel();
            assert.ok(deaths < 30, `${deaths} deaths`);
        }

        console.log(`      ${deaths} deaths`);
        assert.ok(deaths >= 8, `${deaths} deaths`);
        for (const name of all) {
            assert.equal(await valueOf(name, "then"), "kept");
            assert.equal(await valueOf(name, "later"), "");
            assert.notEqual(await setAside(name), "", `what "${name}" had is gone`);
        }
        await isAnew(all, changes, before);
    });

    const places = `/var/lib/etcd/${cluster}`;
    const powerCuts = [
        ["its snapshot is being restored", (root: string) => existsSync(`${root}${places}.restored`)],
        ["its data is aside", (root: string, data: number) => inode(`${root}${places}/member`) !== data],
        [
            "the restored data is in place",
            (root: string, data: number) => ![0, data].includes(inode(`${root}${places}/member`)),
        ],
    ] as const;
    for (const [moment, isThere] of powerCuts) {
        it(`begins anew though the first host loses its power as ${moment}`, async () => {
            const [before, a] = [await clusterId(), site.host("a")];
            await site.etcdctl("b", `put moment "${moment}"`);
            await site.etcdctl("a", `snapshot save ${snapshot}.cut`);
            await site.etcdctl("b", "put moment later");
            const changes = await from(`${snapshot}.cut`);
            const root = rootOf(a, site.bed.lab);
            const data = inode(`${root}${places}/member`);

            const running = site.project.startUp(site.declared(all, changes));
            let isOver = false;
            void running.finished.then(() => (isOver = true));
            while (!isOver && !isThere(root, data)) await setTimeout(1);
            assert.ok(!isOver, running.printed());
            await a.kill();
            const run = await running.finished;
            assert.notEqual(run.code, 0, run.text);
            await a.start();
            await site.mustUp(all, changes);

            for (const name of all) assert.equal(await valueOf(name, "moment"), moment);
            await isAnew(all, changes, before);
        });
    }

    it("stays as it is, and in use, when the file is none, or damaged, or no snapshot", async () => {
        await site.work("a snapshot that can't be restored");
        const a = site.host("a");
        await a.output(`cd /root; head -c -1 snapshot.db > short.db; echo none > text.db`);
        await a.output(`cd /root; cp snapshot.db flipped.db; printf X | dd of=flipped.db bs=1 seek=5000 conv=notrunc`);
        const isUntouched = await site.watch(all);
        const files = [
            ["missing.db", /there is no snapshot \/root\/missing\.db on this host/],
            ["short.db", /\/root\/short\.db can't be restored \(Error: snapshot missing hash/],
            ["text.db", /\/root\/text\.db can't be restored \(Error: /],
            ["flipped.db", /\/root\/flipped\.db can't be restored \(Error: expected sha256/],
        ] as const;
        for (const [file, why] of files) await site.mustRefuse(all, why, await from(`/root/${file}`));
        await isUntouched();
        await site.converges(all);
    });

    it("stays as it is when another cluster is named", async () => {
        const changes = { restore: { snapshot, replaces: "1234567890abcdef" } };
        const isUntouched = await site.watch(all);
        await site.mustUp(all, changes);
        await isUntouched();
        await site.isDone(all, changes);
        await site.mustUp(all);
    });

    it("begins anew under another stack when its state is lost, too, once what is on its hosts was moved away", async () => {
        const before = await clusterId();
        await site.etcdctl("a", "put state lost");
        await site.etcdctl("a", `snapshot save ${snapshot}.stateless`);
        await Promise.all(["b", "c"].map((name) => site.host(name).output(`systemctl stop etcd-${cluster}`)));
        site.project.close();
        site.project = await Project.open({ stack: "test" });
        const changes = { restore: { snapshot: `${snapshot}.stateless` } };
        await site.mustRefuse(
            all,
            /belongs to a cluster of this name that the state of this stack does not know/,
            changes,
        );

        const moveAway = `systemctl disable --now etcd-${cluster} && mkdir /root/lost && mv /var/lib/etcd/${cluster} /root/lost/data && mv /etc/etcd/${cluster} /root/lost/etc`;
        await Promise.all(all.map((name) => site.host(name).output(moveAway)));
        await site.mustUp(all, changes);

        for (const name of all) assert.equal(await valueOf(name, "state"), "lost");
        await isAnew(all, changes, before);
    });

    it("begins anew on another host that has the snapshot, when all its hosts are dead; one that comes back later joins it", async () => {
        const before = await clusterId();
        copyFileSync(
            rootOf(site.host("a"), site.bed.lab) + snapshot,
            rootOf(site.host("d"), site.bed.lab) + `${snapshot}.of-a`,
        );
        // A file system of its own: what is restored has to lie on it, too.
        const dataDir = `/var/lib/etcd/${cluster}`;
        await site.host("d").output(`mkdir -p ${dataDir} && mount -t tmpfs -o size=900m,mode=700 none ${dataDir}`);
        const changes = await from(`${snapshot}.of-a`);
        await Promise.all(all.map((name) => site.host(name).kill()));
        const run = await site.mustUp(["d"], changes);
        assert.match(run.text, /host "b" \(10\.107\.11\.12\) is no member any more, but could not be cleared/);
        assert.equal(await valueOf("d", "survivor"), "kept");
        await isAnew(["d"], changes, before);

        await site.work("hosts with the data of the cluster before come back");
        await Promise.all(["b", "c"].map((name) => site.host(name).start()));
        await site.converges(["b", "c", "d"], changes);
        for (const name of ["b", "c"]) assert.notEqual(await setAside(name), "");
    });
});

/** Of a directory or file; 0 where there is none. */
function inode(path: string): number {
    return lstatSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}
