import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import type { LabHost } from "../../lab";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, leaderOf, openBed, startTimes, voters, type Bed } from "./fixture";
import { Project } from "./project";

const cluster = "gone";
const all = ["a", "b", "c"];

let bed: Bed;
let project: Project;

function declared(
    hosts: number | readonly string[],
    changes: Partial<EtcdClusterArgs> = {},
): Record<string, EtcdClusterArgs> {
    return { [cluster]: bed.declare(hosts, { timeouts: { healthSeconds: 10 }, ...changes }) };
}

/** What of us is on a host: files, units, tables, processes. Data that was moved aside is not among it. */
async function remains(host: LabHost): Promise<string> {
    return host.output(`
ls -d /etc/etcd /opt/etcd /var/lib/etcd/${cluster} /run/etcd-${cluster}* /etc/systemd/system/etcd-${cluster}* /etc/systemd/system/*/etcd-${cluster}* 2>/dev/null
find /etc/systemd -path '*etcd*' 2>/dev/null
/usr/sbin/nft list tables | grep etcd
systemctl list-units --all --no-legend 'etcd-*'
pgrep -a etcd
true`);
}

async function destroy(): Promise<string> {
    const run = await project.destroy();
    assert.equal(run.code, 0, run.text);
    return run.text;
}

function pattern(text: string): RegExp {
    return new RegExp(text.replaceAll(".", "\\."));
}

describe("pulumi destroy", () => {
    before(async () => {
        bed = await openBed("it-destroy", "10.86.2", 3);
        project = await Project.open();
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    it("stops etcd, removes our files, units and firewall, moves data aside and leaves all else alone", async () => {
        const theirs =
            "/opt/etcd/bin/etcd /opt/etcd/etcd-v3.5.9-linux-amd64/etcd /opt/etcd/3.5/ca.key /opt/etcd/old.archive";
        for (const { name } of bed.lab.hosts) {
            const host = bed.lab.host(name);
            await host.output(`for file in ${theirs}; do mkdir -p $(dirname $file); echo theirs > $file; done`);
            await host.output(
                "nft add table inet somebody; mkdir -p /var/lib/etcd; echo theirs > /var/lib/etcd/theirs",
            );
        }
        await project.mustUp(declared(3));
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");

        const text = await destroy();
        for (const name of all) {
            const host = bed.lab.host(name);
            assert.equal(
                (await host.output(`ls ${theirs}; find /opt/etcd -type f | wc -l; rm -r /opt/etcd`))
                    .trim()
                    .split("\n")
                    .at(-1),
                "4",
            );
            assert.equal(await remains(host), "", `left on "${name}"`);
            const [, aside = ""] = new RegExp(`"${name}": data moved to (\\S+)`).exec(text) ?? [];
            await host.output(`test -d ${aside}/member/snap`);
            await host.output("nft list table inet somebody; grep theirs /var/lib/etcd/theirs; id etcd");
        }
    });

    it("is followed by an up that builds a new cluster", async () => {
        await project.mustUp(declared(3));
        assert.deepEqual(await voters(bed.lab.host("c"), cluster), all);
        assert.equal(await etcdctl(bed.lab.host("c"), cluster, "get greeting"), "");
    });

    it("succeeds with a host that is dead, in bounded time, and names it", async () => {
        const b = bed.lab.host("b");
        await project.mustUp(declared(3));
        await b.kill();
        const run = await project.destroy();
        await b.start();
        console.log(`      took ${run.seconds.toFixed(1)} s`);
        assert.equal(run.code, 0, run.text);
        assert.match(run.text, /host "b" was not cleared: .*10\.86\.2\.12.*its etcd is still enabled/);
        for (const name of ["a", "c"]) assert.equal(await remains(bed.lab.host(name)), "", `left on "${name}"`);
        await b.rebuild();
    });

    it("removes nothing while a host refuses the login, and says what to do", async () => {
        const keys = "/root/.ssh/authorized_keys";
        await project.mustUp(declared(3));
        const before = await startTimes(bed.lab, all, cluster);
        for (const refusing of [["b"], all]) {
            for (const name of refusing) await bed.lab.host(name).output(`mv ${keys} ${keys}.kept`);
            const run = await project.destroy();
            for (const name of refusing) await bed.lab.host(name).output(`mv ${keys}.kept ${keys}`);
            assert.notEqual(run.code, 0, run.text);
            assert.match(run.text, /nothing was removed: hosts refuse the login .*run pulumi up, then pulumi destroy/);
            for (const name of refusing) assert.match(run.text, new RegExp(`host "${name}": root@10\\.86\\.2\\.`));
        }
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        await project.mustUp(declared(3), "--expect-no-changes");
    });

    it("removes nothing while no host can be reached, as when the network is in the way, and says so", async () => {
        await project.mustUp(declared(3));
        const before = await startTimes(bed.lab, all, cluster);
        await Promise.all(all.map((name) => bed.lab.host(name).cut()));
        const run = await project.destroy();
        await Promise.all(all.map((name) => bed.lab.host(name).heal()));
        assert.notEqual(run.code, 0, run.text);
        assert.match(
            run.text,
            /nothing was removed: no host can be reached, and etcd may run there; .* a VPN or a bastion/,
        );
        for (const name of all) assert.match(run.text, new RegExp(`host "${name}": root@10\\.86\\.2\\.`));
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        await project.mustUp(declared(3), "--expect-no-changes");
    });

    it("leaves a machine that has another host key by now alone, names it, and clears the others", async () => {
        const c = bed.lab.host("c");
        const hostKey = "/etc/ssh/ssh_host_ed25519_key";
        await c.output(`cp -p ${hostKey} /root/kept && rm ${hostKey} && ssh-keygen -qt ed25519 -N '' -f ${hostKey}`);
        const run = await project.destroy();
        await c.output(`mv /root/kept ${hostKey}`);
        assert.equal(run.code, 0, run.text);
        assert.match(run.text, /host "c" was not cleared: .*host key/);
        for (const name of ["a", "b"]) assert.equal(await remains(bed.lab.host(name)), "", `left on "${name}"`);
        assert.match(await remains(c), /etcd/);
        await c.rebuild();
    });

    it("clears all of several containers that have one machine-id", async () => {
        await project.mustUp(declared(3));
        const ids = await Promise.all(all.map((name) => bed.lab.host(name).output("cat /etc/machine-id")));
        for (const name of all) await bed.lab.host(name).writeFile("/etc/machine-id", ids[0]!);
        await destroy();
        for (const name of all) assert.equal(await remains(bed.lab.host(name)), "", `left on "${name}"`);
        for (const [at, name] of all.entries()) await bed.lab.host(name).writeFile("/etc/machine-id", ids[at]!);
    });

    it("deletes the data where that is declared", async () => {
        await project.mustUp(declared(1, { deleteDataOnDestroy: true }));
        const before = await bed.lab.host("a").output("ls /var/lib/etcd");
        // As where the directory is a file system of its own, and data was moved aside before.
        const aside = `/var/lib/etcd/${cluster}/set-aside`;
        await bed.lab
            .host("a")
            .output(`mkdir -p ${aside}/20260101T000000Z; echo before > ${aside}/20260101T000000Z/db`);
        await destroy();
        assert.equal(
            await bed.lab
                .host("a")
                .output(`ls /var/lib/etcd/${cluster}; cat ${aside}/*/db; rm -r /var/lib/etcd/${cluster}`),
            "set-aside\nbefore\n",
        );
        assert.equal(await remains(bed.lab.host("a")), "");
        const after = await bed.lab.host("a").output("ls /var/lib/etcd");
        assert.deepEqual(
            after.trim().split("\n"),
            before
                .trim()
                .split("\n")
                .filter((name) => name !== cluster),
        );
    });

    describe("after a first up that failed half-way", () => {
        afterEach(async () => {
            await bed.lab.host("b").rebuild();
        });

        it("clears hosts that were prepared while another one could not be", async () => {
            const b = bed.lab.host("b");
            // Passes every question that is asked before, and fails while files are laid down.
            await b.output(
                "mkdir -p /etc/etcd && mount -t tmpfs -o size=4k,mode=755 tmpfs /etc/etcd && head -c 4096 /dev/zero > /etc/etcd/full || true",
            );
            const run = await project.up(declared(3));
            assert.notEqual(run.code, 0);
            assert.match(run.text, /can.t be written: see above, and whether its disk is full/);
            await destroy();
            for (const name of ["a", "c"]) assert.equal(await remains(bed.lab.host(name)), "", `left on "${name}"`);
        });

        it("clears hosts whose etcd could not start", async () => {
            const run = await project.up(declared(3, { tuning: { autoCompactionRetention: "999999h999999h999999h" } }));
            assert.notEqual(run.code, 0);
            assert.match(run.text, /a\| .*CompactionRetention/);
            await destroy();
            for (const name of all) assert.equal(await remains(bed.lab.host(name)), "", `left on "${name}"`);
        });

        it("clears hosts on which no more than the binaries was installed", async () => {
            const readOnly =
                "mkdir -p /opt/etcd && mount --bind /opt/etcd /opt/etcd && mount -o remount,bind,ro /opt/etcd";
            await bed.lab.host("b").output(readOnly);
            const run = await project.up(declared(3));
            assert.notEqual(run.code, 0);
            assert.match(run.text, /etcd \S+ is installed on "a"/);
            assert.match(run.text, /Read-only file system/);
            await destroy();
            for (const name of ["a", "c"]) assert.equal(await remains(bed.lab.host(name)), "", `left on "${name}"`);
        });
    });
});

describe("taking hosts off the list", () => {
    before(async () => {
        bed = await openBed("it-destroy", "10.86.2", 3);
        project = await Project.open();
        await project.mustUp(declared(3));
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    it("works for the leader's: the lead is moved first", async () => {
        const led = await leaderOf(bed.lab, all, cluster);
        const [stays = ""] = all.filter((name) => name !== led);
        const run = await project.mustUp(declared([stays]));
        assert.match(run.text, new RegExp(`move the lead from "${led}" to "${stays}"`));
        assert.deepEqual(await voters(bed.lab.host(stays), cluster), [stays]);
        assert.equal(await remains(bed.lab.host(led)), "");
        assert.match(await etcdctl(bed.lab.host(stays), cluster, "get greeting"), /hello/);
        await project.mustUp(declared(3));
    });

    it("works for a dead one's: it is named, and blocks nothing", async () => {
        const c = bed.lab.host("c");
        await c.kill();
        const run = await project.up(declared(["a", "b"], { allowEvenSize: true }));
        console.log(`      took ${run.seconds.toFixed(1)} s`);
        assert.equal(run.code, 0, run.text);
        assert.match(run.text, /host "c" \(10\.86\.2\.13\) is no member any more, but could not be cleared: /);
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), ["a", "b"]);

        await c.start();
        const again = await project.up(declared(["a", "b"], { allowEvenSize: true }), "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), ["a", "b"]);
    });

    it("is undone by putting it back: the host joins anew, with nothing of its old data", async () => {
        const run = await project.mustUp(declared(3));
        assert.match(run.text, pattern(`stop etcd on "c" and move its data aside`));
        assert.deepEqual(await voters(bed.lab.host("c"), cluster), all);
        assert.match(await etcdctl(bed.lab.host("c"), cluster, "get greeting"), /hello/);
    });
});
