import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { Project } from "./project";

const all = ["a", "b", "c"];

describe("two clusters on the same hosts", () => {
    let bed: Bed;
    let project: Project;
    let one: EtcdClusterArgs;
    let two: EtcdClusterArgs;

    before(async () => {
        bed = await openBed("it-side", "10.88.1", 4);
        project = await Project.open();
        one = bed.declare(3);
        const clients = [{ name: "on-d", addresses: [bed.lab.host("d").address] }];
        two = bed.declare(3, { clientPort: 12379, peerPort: 12380, dataDir: "/srv/two/data", clients });
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    it("are built by one program, each with members, data and certificates of its own", async () => {
        await project.mustUp({ one, two });
        await etcdctl(bed.lab.host("a"), "one", "put which one");
        await etcdctl(bed.lab.host("b"), "two", "put which two", 12379);
        for (const name of all) {
            const host = bed.lab.host(name);
            assert.match(await etcdctl(host, "one", "get which"), /one/);
            assert.match(await etcdctl(host, "two", "get which", 12379), /two/);
        }
        const outputs = await project.outputs();
        assert.notEqual(outputs["one"]!.clusterId, outputs["two"]!.clusterId);
        assert.notEqual(outputs["one"]!.ca, outputs["two"]!.ca);
        await assert.rejects(etcdctl(bed.lab.host("a"), "one", "get which --command-timeout 2s", 12379));
    });

    /** Which of the ports of "b" a host gets a connection to. */
    async function assertOpen(from: string, wanted: Readonly<Record<number, boolean>>): Promise<void> {
        for (const [port, isOpen] of Object.entries(wanted)) {
            const to = `${bed.lab.host("b").address}/${port}`;
            const { code } = await bed.lab.host(from).run(`timeout 2 bash -c 'exec 3<>/dev/tcp/${to}'`);
            assert.equal(code === 0, isOpen, `${from} to ${to}`);
        }
    }

    it("let in who belongs to them, each at its own ports", async () => {
        await assertOpen("a", { 2379: true, 2380: true, 12379: true, 12380: true });
        await assertOpen("d", { 2379: false, 2380: false, 12379: true, 12380: false });
    });

    it("are changed one without the other", async () => {
        const before = await startTimes(bed.lab, all, "one");
        await project.mustUp({ one, two: { ...two, hosts: two.hosts.slice(1, 2) } });
        assert.deepEqual(await startTimes(bed.lab, all, "one"), before);
        assert.deepEqual(await voters(bed.lab.host("a"), "one"), all);
        const again = await project.up({ one, two: { ...two, hosts: two.hosts.slice(1, 2) } }, "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
    });

    it("come back side by side after a reboot, each behind its firewall", async () => {
        const b = bed.lab.host("b");
        await b.reboot();
        await eventually("both are back by themselves", 60, async () => {
            assert.match(await etcdctl(b, "one", "get which"), /one/);
            assert.match(await etcdctl(b, "two", "get which", 12379), /two/);
        });
        await assertOpen("a", { 2379: true, 2380: true, 12379: false, 12380: false });
        await assertOpen("d", { 2379: false, 2380: false, 12379: true, 12380: false });
        const again = await project.up({ one, two: { ...two, hosts: two.hosts.slice(1, 2) } }, "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
    });

    it("end one without the other: the release that both run stays for the one that is left", async () => {
        const before = await startTimes(bed.lab, all, "one");
        await project.mustUp({ one });
        assert.deepEqual(await startTimes(bed.lab, all, "one"), before);
        const b = bed.lab.host("b");
        assert.equal(await b.output("ls /etc/etcd"), "one\n");
        assert.match(await b.output("nft list tables"), /etcd_one/);
        assert.doesNotMatch(await b.output("nft list tables"), /etcd_two/);
        assert.match(await b.output("ls -d /srv/two/data.*"), /data\.\d/);
        await b.reboot();
        await project.mustUp({ one });
        assert.match(await etcdctl(b, "one", "get which"), /one/);

        const end = await project.destroy();
        assert.equal(end.code, 0, end.text);
        assert.equal(await b.output("ls -d /opt/etcd /etc/etcd 2>/dev/null || true"), "");
    });
});

describe("many clusters on one host", () => {
    const names = ["eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben"];
    let bed: Bed;
    let project: Project;
    let clusters: Record<string, EtcdClusterArgs>;

    before(async () => {
        bed = await openBed("it-many", "10.88.2", 1);
        project = await Project.open();
        clusters = Object.fromEntries(
            names.map((name, index) => {
                const ports = { clientPort: 20000 + 10 * index, peerPort: 20001 + 10 * index };
                return [name, bed.declare(1, { ...ports, dataDir: `/srv/${name}/data` })];
            }),
        );
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    it("are built, left as they are, and ended by one program", async () => {
        const a = bed.lab.host("a");
        await project.mustUp(clusters);
        for (const [index, name] of names.entries())
            assert.deepEqual(await voters(a, name, 20000 + 10 * index), ["a"], name);
        const again = await project.up(clusters, "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
        const end = await project.destroy();
        assert.equal(end.code, 0, end.text);
        assert.equal(await a.output("ls -d /opt/etcd /etc/etcd 2>/dev/null || true"), "");
    });
});
