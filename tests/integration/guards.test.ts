import assert from "node:assert/strict";

import type { EtcdClusterArgs, EtcdHostArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { diagnosticsOf } from "./diagnostics";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { told } from "./moments";
import { Project, type Clusters, type Run } from "./project";
import { watchHosts } from "./untouched";

/** Names that begin like one another, and one that every object knows. By the lab's name of the machine. */
const names: Readonly<Record<string, string>> = { a: "e", b: "e-1", c: "constructor" };
const machines = Object.keys(names);
/** The cluster whose name begins the other one's, and that one. */
const [short, long] = ["x", "x-y"];
const longPort = 12379;

describe("two clusters on the same hosts, whose names begin like one another, as their hosts' names do", () => {
    let bed: Bed;
    let project: Project;

    before(async () => {
        bed = await openBed("ch-guards", "10.104.4", 3);
        project = await Project.open();
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    const host = (machine: string) => bed.lab.host(machine);

    function args(chosen: string, changes: Partial<EtcdClusterArgs> = {}): EtcdClusterArgs {
        const declared = bed.declare([...chosen], changes);
        const hosts = declared.hosts.map((one): EtcdHostArgs => ({ ...one, name: names[one.name]! }));
        const keys = machines.map((machine) => [names[machine]!, host(machine).publicHostKey] as const);
        return { ...declared, hosts, ssh: { ...declared.ssh, hostKeys: Object.fromEntries(keys) } };
    }

    const shortOn = (chosen: string, changes: Partial<EtcdClusterArgs> = {}): Clusters => ({
        [short]: args(chosen, changes),
    });
    const longOn = (chosen: string): Clusters => ({
        [long]: args(chosen, { clientPort: longPort, peerPort: longPort + 1 }),
    });

    /** What to type on a host for a table of its own, which judges what comes in at peer ports and from them, and what goes there. */
    function ruleset(table: string, rule: (direction: "dport" | "sport") => string): string {
        const chain = (hook: string): string =>
            `chain ${hook} { type filter hook ${hook} priority -300; ${rule("dport")} ${rule("sport")} }`;
        return `nft 'table inet ${table} { ${chain("input")}; ${chain("output")}; }'`;
    }

    function problemsOf(run: Run): string {
        assert.notEqual(run.code, 0, run.text);
        return diagnosticsOf(run).join("\n");
    }

    /** All that is one cluster's on the hosts; what it returns fails if any of it is otherwise by then. */
    async function watch(cluster: string, table: string): Promise<() => Promise<void>> {
        const look = async (): Promise<readonly string[]> => [
            ...(await startTimes(bed.lab, machines, cluster)),
            ...(await Promise.all(
                machines.map((machine) =>
                    host(machine).output(`
                        find /etc/etcd/${cluster} /etc/systemd/system/etcd-${cluster}.service /etc/systemd/system/etcd-${cluster}-firewall.service \\
                            /run/etcd-${cluster} /etc/systemd/system/*.wants/etcd-${cluster}.service -printf '%p %y %m %U:%G %s %T@ %l\\n' | sort
                        ls -d /var/lib/etcd/${cluster} /var/lib/etcd/${cluster}/member/wal
                        nft list table inet ${table}`),
                ),
            )),
        ];
        const before = await look();
        return async () => assert.deepEqual(await look(), before);
    }

    async function watchBoth(): Promise<() => Promise<void>> {
        const [one, other] = [await watch(short, "etcd_x"), await watch(long, "etcd_x_y")];
        return async () => {
            await one();
            await other();
        };
    }

    it("are built, each with a member on the host whose name begins the others'", async () => {
        await project.mustUp({ ...shortOn("a"), ...longOn("a") });
        await etcdctl(host("a"), short, "put which short");
        await etcdctl(host("a"), long, "put which long", longPort);
    });

    it("get no second member unless somebody wants an even number, and then are warned of what it survives", async () => {
        const unchanged = await watchHosts(bed.lab);
        const refused = await project.up({ ...shortOn("ab"), ...longOn("a") });
        assert.match(problemsOf(refused), /hosts is a list of 2, wanted is an odd number of hosts; .*allowEvenSize/);
        await unchanged();
        const run = await project.mustUp({ ...shortOn("ab", { allowEvenSize: true }), ...longOn("a") });
        assert.match(run.text, /warning: .*2 members survive the loss of 0, no more than 1 would/);
        assert.deepEqual(await voters(host("a"), short), ["e", "e-1"]);
        assert.deepEqual(await voters(host("a"), long, longPort), ["e"]);
    });

    it("end in time with a learner that does not catch up, which goes on joining", async () => {
        await host("a").output("head -c 500000 /dev/zero | tr '\\0' x > /root/large");
        for (let number = 1; number <= 10; number += 1)
            await etcdctl(host("a"), short, `put large${number} < /root/large`);
        await host("c").output(
            ruleset(
                "slow",
                (direction) => `meta length > 600 tcp ${direction} 2380 limit rate over 20 kbytes/second drop;`,
            ),
        );
        const run = await project
            .up({ ...shortOn("abc", { timeouts: { syncSeconds: 3 } }), ...longOn("a") })
            .finally(() => host("c").output("nft delete table inet slow"));
        assert.match(problemsOf(run), /promote "constructor" to voter: etcd still refuses it: .*in sync with leader/);
        assert.match(problemsOf(run), /next: .*then pulumi up/);
        assert.deepEqual(await voters(host("a"), short), ["e", "e-1"]);
    });

    it("grow side by side, each by its own hosts", async () => {
        await project.mustUp({ ...shortOn("abc"), ...longOn("abc") });
        const all = Object.values(names).sort();
        for (const machine of machines) {
            assert.deepEqual(await voters(host(machine), short), all);
            assert.deepEqual(await voters(host(machine), long, longPort), all);
            assert.match(await etcdctl(host(machine), short, "get which"), /short/);
            assert.match(await etcdctl(host(machine), long, "get which", longPort), /long/);
        }
        const again = await project.up({ ...shortOn("abc"), ...longOn("abc") }, "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
    });

    it("keep a member that is well while another one is out of reach of its peers: two of three would be gone", async () => {
        await host("c").output(ruleset("cut", (direction) => `tcp ${direction} 2380 drop;`));
        await eventually("the member is alone", 60, async () => {
            await assert.rejects(etcdctl(host("c"), short, "get which --command-timeout 1s"));
        });
        const unchanged = await watch(long, "etcd_x_y");
        const run = await project.up({
            ...shortOn("ac", { allowEvenSize: true, timeouts: { healthSeconds: 5 } }),
            ...longOn("abc"),
        });
        assert.match(problemsOf(run), /waited 5 s, but not until member "constructor" is healthy/);
        assert.match(problemsOf(run), /next: journalctl -u etcd-x on constructor \(10\.104\.4\.13\), then pulumi up/);
        assert.deepEqual(await voters(host("a"), short), Object.values(names).sort());
        await unchanged();
        await host("c").output("nft delete table inet cut");
        await project.mustUp({ ...shortOn("abc"), ...longOn("abc") });
    });

    it("refuse a host that is a declared one at another address, before anything is changed", async () => {
        await bed.lab.addAddress("b", "10.104.4.32");
        const unchanged = await watchBoth();
        const { [short]: three } = shortOn("abc");
        const twin: EtcdHostArgs = { name: "e-12", address: "10.104.4.32" };
        const ssh = { ...three!.ssh, hostKeys: { ...three!.ssh.hostKeys, "e-12": host("b").publicHostKey } };
        const hosts = [...three!.hosts.slice(0, 2), twin];
        const run = await project.up({ [short]: { ...three!, hosts, ssh }, ...longOn("abc") });
        assert.match(
            problemsOf(run),
            /hosts "e-1" \(10\.104\.4\.12\) and "e-12" \(10\.104\.4\.32\) are one machine, which has both addresses, .*take one of them off the list/,
        );
        await unchanged();
    });

    it("refuse data directories within one another, and names that make one name of a resource", async () => {
        const unchanged = await watchBoth();
        const within = await project.up({
            ...shortOn("abc"),
            [long]: { ...longOn("abc")[long]!, dataDir: "/var/lib/etcd/x/y" },
        });
        assert.match(
            problemsOf(within),
            /dataDir is "\/var\/lib\/etcd\/x\/y", wanted is a directory that cluster "x" does not have on 10\.104\.4\.11, which has "\/var\/lib\/etcd\/x"/,
        );
        const one = shortOn("a")[short]!;
        const hosts = one.hosts.map((only) => ({ ...only, name: "y-e" }));
        const ssh = { ...one.ssh, hostKeys: { "y-e": host("a").publicHostKey } };
        const run = await project.preview({ ...longOn("a"), [short]: { ...one, hosts, ssh } });
        assert.match(
            problemsOf(run),
            /hosts\[0\]\.name is "y-e", wanted is a name that does not make "x-y-e" with the cluster's, as "e" of cluster "x-y" does/,
        );
        await unchanged();
    });

    it("refuse another program's member that is given one of their data directories, or one within it", async () => {
        const other = await Project.open();
        try {
            const [cluster, port] = ["z", 22379];
            const third = (dataDir: string): Clusters => ({
                [cluster]: args("a", { clientPort: port, peerPort: port + 1, dataDir }),
            });
            await other.mustUp(third("/srv/z"));
            const unchanged = await watchHosts(bed.lab);
            const same = problemsOf(await other.up(third("/var/lib/etcd/x-y")));
            assert.match(same, /\/var\/lib\/etcd\/x-y is where the cluster "x-y" has its data: choose another dataDir/);
            const within = problemsOf(await other.up(third("/var/lib/etcd/x/z")));
            assert.match(within, /\/var\/lib\/etcd\/x, where the cluster "x" has its data, lie within one another/);
            await unchanged();
            await other.mustUp(third("/srv/z"), "--expect-no-changes");
            const gone = await other.destroy();
            assert.equal(gone.code, 0, gone.text);
        } finally {
            other.close();
        }
    });

    it("lose the host whose name begins another's from one of them, and neither the other host nor the other cluster is touched", async () => {
        const unchanged = await watch(long, "etcd_x_y");
        const others = await startTimes(bed.lab, ["b", "c"], short);
        const run = await project.mustUp({ ...shortOn("bc", { allowEvenSize: true }), ...longOn("abc") });
        assert.match(told(run.text, short).join("\n"), /remove member "e" \(\w+\)/);
        assert.deepEqual(await voters(host("b"), short), ["constructor", "e-1"]);
        assert.deepEqual(await startTimes(bed.lab, ["b", "c"], short), others);
        assert.equal(await host("a").output("ls /etc/etcd"), "x-y\n");
        await unchanged();
    });

    it("end one without the other, and without what others have named after it", async () => {
        const theirs = "/etc/systemd/system/cron.service.d/etcd-x.conf";
        await host("b").writeFile(theirs, "[Unit]\nAfter=etcd-x.service\n");
        const unchanged = await watch(long, "etcd_x_y");
        await project.mustUp(longOn("abc"));
        await unchanged();
        for (const machine of machines) {
            assert.equal(await host(machine).output("ls /etc/etcd"), "x-y\n");
            assert.match(await host(machine).output("nft list tables"), /^table inet etcd_x_y$/m);
            assert.doesNotMatch(await host(machine).output("nft list tables"), /^table inet etcd_x$/m);
            assert.match(await etcdctl(host(machine), long, "get which", longPort), /long/);
        }
        assert.match(await host("b").output(`cat ${theirs}`), /After=etcd-x\.service/);

        await project.mustUp({ ...shortOn("abc"), ...longOn("abc") });
        const stays = await watch(short, "etcd_x");
        await project.mustUp(shortOn("abc"));
        await stays();
        const again = await project.up(shortOn("abc"), "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
    });
});
