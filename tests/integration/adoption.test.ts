import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { releaseArchive } from "../../lab/release";
import { addressTowards, startWorkload, workloadClient, type Workload } from "../faults/workload/workload";
import { assertNothingLost, endAfterEach } from "./clients";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, openBed, startTimes, voters, type Bed } from "./fixture";
import { hasPrinted, step, told } from "./moments";
import { Project } from "./project";
import { watchInUse } from "./untouched";

const cluster = "adopted";
const all = ["a", "b", "c"];
const root = `/etc/etcd/${cluster}`;

type Declared = Record<string, EtcdClusterArgs>;

describe("a cluster whose Pulumi state was lost", () => {
    let bed: Bed;
    let former: Project;
    let project: Project;
    let here: string;
    const forThisTest = endAfterEach();

    function declared(changes: Partial<EtcdClusterArgs> = {}): Declared {
        return {
            [cluster]: bed.declare(3, { clients: [workloadClient(here)], ...changes }),
        };
    }

    before(async () => {
        bed = await openBed("ad-lost", "10.105.1", 3);
        here = await addressTowards(bed.lab.host("a").address);
        former = await Project.open();
        project = await Project.open();
        await former.mustUp(declared());
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");
    });

    after(async () => {
        former?.close();
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    async function startClients(from: Project): Promise<Workload> {
        return forThisTest(startWorkload((await from.outputs())[cluster]!, { phase: "change" }));
    }

    /** How many certificates each member trusts at its client and its peer port. */
    async function trusted(): Promise<readonly string[]> {
        return Promise.all(
            all.map(async (name) =>
                (
                    await bed.lab
                        .host(name)
                        .output(`grep -hc BEGIN ${root}/current/client-ca.crt ${root}/current/peer-ca.crt`)
                )
                    .trim()
                    .replace("\n", " "),
            ),
        );
    }

    const watch = (): Promise<() => Promise<void>> => watchInUse(bed.lab, all, cluster);

    async function leaves(): Promise<readonly string[]> {
        return Promise.all(all.map((name) => bed.lab.host(name).output(`sha256sum ${root}/pki/*`)));
    }

    it("is not taken over while a member is down, has another version, or is not declared, and nothing is changed", async () => {
        const unchanged = await watch();
        const { version: older, path, sha256 } = await releaseArchive("3.5");
        const install = { source: "file", path, sha256 } as const;
        const other = await project.up(declared({ adopt: true, version: older, install }));
        assert.notEqual(other.code, 0);
        const { version } = bed.declare(3);
        assert.ok(other.text.includes(`etcd ${version} runs on it, declared is ${older}`), other.text);
        const fewer = await project.up({ [cluster]: bed.declare(["a"], { adopt: true }) });
        assert.notEqual(fewer.code, 0);
        assert.match(fewer.text, /the cluster has members that are not declared/);
        await unchanged();

        await bed.lab.host("c").output(`systemctl stop etcd-${cluster}`);
        const stopped = await watch();
        const down = await project.up(declared({ adopt: true }));
        assert.notEqual(down.code, 0);
        assert.match(down.text, /host "c" \(10\.105\.1\.13\): its member does not answer/);
        await stopped();
        await bed.lab.host("c").output(`systemctl start etcd-${cluster}`);
    });

    it("has its take-over shown as steps by a preview, one restart for each member", async () => {
        const unchanged = await watch();
        const { code, text } = await project.preview(declared({ adopt: true }));
        assert.equal(code, 0, text);
        const steps = told(text, cluster).filter((line) => /^plan \d+\/\d+: /.test(line));
        assert.equal(steps.filter((line) => /: restart "/.test(line)).length, 3, steps.join("\n"));
        await unchanged();
    });

    it("is taken over by a run that is killed after its first step and run again, under clients of old, and loses no write", async () => {
        const before = await leaves();
        // Clients of old, which know nothing of the new authorities.
        const workload = await startClients(former);
        const first = project.startUp(declared({ adopt: true }));
        assert.ok(await hasPrinted(first, step(cluster, 1)));
        first.kill();
        await first.finished;
        await project.cancel();

        // To go on without "adopt" would cut those off that are not there yet.
        const hasty = await project.up(declared());
        assert.notEqual(hasty.code, 0);
        assert.match(hasty.text, /its member does not trust this stack's authorities yet/);

        await project.mustUp(declared({ adopt: true }));
        await assertNothingLost(workload);
        assert.deepEqual(await leaves(), before, "members keep their certificates");
        assert.deepEqual(await trusted(), ["2 2", "2 2", "2 2"]);
        assert.match(await etcdctl(bed.lab.host("b"), cluster, "get greeting"), /hello/);
    });

    it("is then left alone by a second run, and by the run of the state that was lost", async () => {
        const started = await startTimes(bed.lab, all, cluster);
        const again = await project.mustUp(declared({ adopt: true }));
        assert.doesNotMatch(again.text, /\[adopted\] \d+\/\d+/);
        const owner = await former.up(declared());
        assert.notEqual(owner.code, 0);
        assert.match(owner.text, /that the state of this stack does not know/);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), started);
    });

    it("drops the old authorities when adopt is taken away, under clients with new certificates, and loses no write", async () => {
        const before = await leaves();
        const workload = await startClients(project);
        await project.mustUp(declared());
        await assertNothingLost(workload);
        assert.deepEqual(await trusted(), ["1 1", "1 1", "1 1"]);
        for (const [index, leaf] of (await leaves()).entries()) assert.notEqual(leaf, before[index]);
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), all);
        const started = await startTimes(bed.lab, all, cluster);
        await project.mustUp(declared());
        assert.deepEqual(await startTimes(bed.lab, all, cluster), started);
    });

    it("is not touched by the destroy of the state that was lost", async () => {
        const unchanged = await watch();
        const end = await former.destroy();
        assert.equal(end.code, 0, end.text);
        assert.match(end.text, /left alone: a cluster of this name that another state built is there/);
        await unchanged();
    });

    it("has nothing to take over on hosts where there is nothing", async () => {
        await project.destroy();
        const run = await former.up({ [cluster]: bed.declare(3, { adopt: true, clusterToken: "another" }) });
        assert.notEqual(run.code, 0);
        assert.match(run.text, /adopt is set, and no declared host has a cluster with the token "another"/);
    });
});

describe("a cluster whose Pulumi state was lost with the first of its hosts", () => {
    let bed: Bed;
    let former: Project;
    let project: Project;
    let here: string;
    const forThisTest = endAfterEach();

    before(async () => {
        bed = await openBed("ad-host", "10.105.3", 3);
        here = await addressTowards(bed.lab.host("a").address);
        former = await Project.open();
        project = await Project.open();
        await former.mustUp(declared(all));
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");
        await bed.lab.host("a").rebuild();
    });

    after(async () => {
        former?.close();
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    function declared(hosts: readonly string[], changes: Partial<EtcdClusterArgs> = {}): Declared {
        return { [cluster]: bed.declare(hosts, { clients: [workloadClient(here)], ...changes }) };
    }

    it("is neither founded anew nor taken over while that host is on the list, and nothing is changed", async () => {
        const others = await watchInUse(bed.lab, ["b", "c"], cluster);
        for (const [adopt, why] of [
            [false, /host "b" .* belongs to a cluster of this name that the state of this stack does not know/],
            [true, /host "a" .*: it has nothing of the cluster that is taken over: take it off the list/],
        ] as const) {
            const run = await project.up(declared(all, { adopt }));
            assert.notEqual(run.code, 0, run.text);
            assert.match(run.text, why);
            const begun = await bed.lab.host("a").run("ls -d /var/lib/etcd /etc/etcd /opt/etcd");
            assert.equal(begun.stdout, "");
        }
        await others();
    });

    it("is taken over with the hosts that are left when that member was removed, and takes the host as a new one; no write is lost", async () => {
        const b = bed.lab.host("b");
        const outputs = (await former.outputs())[cluster]!;
        const endpoints = outputs.endpoints.slice(1);
        const workload = await forThisTest(startWorkload(outputs, { phase: "change", endpoints }));
        const lost = (await etcdctl(b, cluster, "member list")).split("\n").find((line) => line.includes(", a, "))!;
        await etcdctl(b, cluster, `member remove ${lost.split(",")[0]}`);
        await project.mustUp(declared(["b", "c"], { adopt: true, allowEvenSize: true }));
        await assertNothingLost(workload);
        await project.mustUp(declared(["b", "c"], { allowEvenSize: true }));
        await project.mustUp(declared(all));
        for (const name of all) {
            assert.deepEqual(await voters(bed.lab.host(name), cluster), all);
            assert.match(await etcdctl(bed.lab.host(name), cluster, "get greeting"), /hello/);
        }
    });
});
