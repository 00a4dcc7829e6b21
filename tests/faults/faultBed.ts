/** Hosts, a stack and clients at work: what every row of the fault matrix is tried on, and the oracle that all rows share. */
import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import type { LabHost } from "../../lab";
import { diagnoseFailures } from "../integration/diagnose";
import { etcdctl, leaderOf, openBed, startTimes, statusOf, voters, type Bed } from "../integration/fixture";
import { Project, type Clusters, type Run } from "../integration/project";
import { watchInUse } from "../integration/untouched";
import { JudgedWork } from "./judgedWork";
import {
    addressTowards,
    assertSound,
    startWorkload,
    workloadClient,
    type Workload,
    type WorkloadReport,
} from "./workload/workload";

/** Long enough for a member that publishes itself late (7 s), short enough for a matrix of faults. */
const HEALTH_SECONDS = 10;

/** Enough for a login through a gate on a busy machine; many rows have a host that is dead. */
const CONNECT_SECONDS = 8;

/** A fault is to be met by clients, who need not keep the machine busy: what a fault costs them is told to some hundredths of a second. */
const LEISURE = 16;

/** Acknowledged writes before a fault, and after it to tell that all is well again. */
const ENOUGH = 50;

/** The first so many, or those that are named. */
export type Hosts = number | readonly string[];

export class FaultBed {
    private readonly clients = new JudgedWork<Workload>();

    private constructor(
        readonly cluster: string,
        readonly bed: Bed,
        public project: Project,
        private readonly machine: string,
        /** What every declaration of this bed has. */
        public always: Partial<EtcdClusterArgs>,
    ) {}

    /** @param network as of `openBed` */
    static async open(
        cluster: string,
        network: string,
        count: number,
        always: Partial<EtcdClusterArgs> = {},
        version?: string,
    ): Promise<FaultBed> {
        const [bed, project] = await Promise.all([
            openBed(`fa-${cluster}`, network, count, { ...(version !== undefined && { version }) }),
            Project.open({ stack: "test" }),
        ]);
        return new FaultBed(cluster, bed, project, await addressTowards(`${network}.11`), always);
    }

    /** Takes all down, whatever has become of it. */
    async close(): Promise<void> {
        this.clients.end();
        this.project.close();
        await this.bed.lab.down();
    }

    /** Hosts and a stack as new: for the tests that come after one that has failed. */
    async renew(): Promise<void> {
        this.forgetWork();
        this.project.close();
        await Promise.all(
            this.bed.lab.hosts.map(async (host) => {
                if (host.state() === "frozen") await host.thaw();
                await host.heal();
                await host.rebuild();
            }),
        );
        this.project = await Project.open({ stack: "test" });
    }

    /** After a test that failed, which says enough. */
    forgetWork(): void {
        this.clients.forget();
    }

    /** @throws when clients began to work and nobody asked what they saw. @param when what is about to happen */
    assertJudged(when: string): void {
        this.clients.assertJudged(when);
    }

    host(name: string): LabHost {
        return this.bed.lab.host(name);
    }

    declared(hosts: Hosts, changes: Partial<EtcdClusterArgs> = {}): Clusters {
        const { ssh, ...args } = this.bed.declare(hosts, {
            timeouts: { healthSeconds: HEALTH_SECONDS },
            clients: [workloadClient(this.machine)],
            ...this.always,
            ...changes,
        });
        return { [this.cluster]: { ...args, ssh: { connectTimeoutSeconds: CONNECT_SECONDS, ...ssh } } };
    }

    names(hosts: Hosts): readonly string[] {
        return this.declared(hosts)[this.cluster]!.hosts.map(({ name }) => name);
    }

    up(hosts: Hosts, changes: Partial<EtcdClusterArgs> = {}): Promise<Run> {
        return this.project.up(this.declared(hosts, changes));
    }

    mustUp(hosts: Hosts, changes: Partial<EtcdClusterArgs> = {}): Promise<Run> {
        return this.project.mustUp(this.declared(hosts, changes));
    }

    /** @throws unless the run fails and says this */
    async mustRefuse(hosts: Hosts, why: RegExp, changes: Partial<EtcdClusterArgs> = {}): Promise<Run> {
        const run = await this.up(hosts, changes);
        assert.notEqual(run.code, 0, run.text);
        assert.match(run.text, why);
        return run;
    }

    /**
     * Clients work from now on, all at once, until the oracle is asked.
     * @param fault what is about to happen
     * @param deadlineMs of each call; by default the workload's own
     * @throws when what clients saw of an earlier fault was never judged
     */
    async work(fault: string, minimumWrites?: number, deadlineMs?: number): Promise<void> {
        const outputs = (await this.project.outputs())[this.cluster]!;
        const options = { leisure: LEISURE, ...(deadlineMs !== undefined && { deadlineMs }) };
        const workload = await this.clients.begin(fault, () => startWorkload(outputs, options));
        await workload.progress(ENOUGH);
        await workload.phase(fault, minimumWrites);
    }

    /** So many more writes are acknowledged: the cluster is in use. */
    async progress(writes = 20): Promise<void> {
        await this.clients.current?.progress(writes);
    }

    /** Members that clients know of from now on. */
    async use(names: readonly string[]): Promise<void> {
        await this.clients.current?.use(this.endpoints(names));
    }

    /** Lets every member serve its client, ends the work, and judges what the clients saw. */
    async endWork(names: readonly string[]): Promise<WorkloadReport | undefined> {
        const workload = this.clients.current;
        if (!workload) return undefined;
        await workload.phase("after");
        await workload.useAll(this.endpoints(names));
        await workload.progress(ENOUGH);
        const report = await workload.stop(this.endpoints(names));
        this.clients.judged();
        for (const { name, longestGapMs, acknowledged, failed, p99Ms } of report.phases) {
            if (name === "before" || name === "after") continue;
            const figures = `longest gap ${longestGapMs.toFixed(0)} ms, ${acknowledged} writes acknowledged, ${failed} not, p99 ${p99Ms.toFixed(0)} ms`;
            console.log(`      ${name}: ${figures}`);
        }
        assertSound(report);
        return report;
    }

    /**
     * The oracle of all rows: `up` again converges, what clients saw is sound (no acknowledged write is lost on any member), all members
     * have the same list and data, a further `up` changes nothing and restarts nobody.
     * @returns the run that converged
     */
    async converges(hosts: Hosts, changes: Partial<EtcdClusterArgs> = {}): Promise<Run> {
        const run = await this.mustUp(hosts, changes);
        await this.endWork(this.names(hosts));
        await this.isDone(hosts, changes);
        return run;
    }

    /** All members have the same list and data, and nothing is left to do. */
    async isDone(hosts: Hosts, changes: Partial<EtcdClusterArgs> = {}): Promise<void> {
        const names = this.names(hosts);
        await this.isWhole(names);
        const before = await this.startTimes(names);
        const again = await this.project.up(this.declared(hosts, changes), "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
        assert.deepEqual(await this.startTimes(names), before);
    }

    /** These are the voters by every one's own word, and all have the same data. */
    async isWhole(names: readonly string[]): Promise<void> {
        const hashes = new Set<string>();
        const revision = (await statusOf(this.host(names[0]!), this.cluster)).header.revision;
        for (const name of names) {
            assert.deepEqual(await voters(this.host(name), this.cluster), [...names].sort(), `the list of "${name}"`);
            hashes.add(await this.hash(name, revision));
        }
        assert.equal(hashes.size, 1, `members differ: ${[...hashes].join()}`);
    }

    /** As of `watchInUse`. */
    watch(names: readonly string[]): Promise<() => Promise<void>> {
        return watchInUse(this.bed.lab, names, this.cluster);
    }

    startTimes(names: readonly string[]): Promise<readonly string[]> {
        return startTimes(this.bed.lab, names, this.cluster);
    }

    /** This voter leads from now on. */
    async haveLead(name: string): Promise<void> {
        const leader = await this.leader(await voters(this.host(name), this.cluster));
        if (leader !== name) await this.etcdctl(leader, `move-leader ${await this.memberId(name, name)}`);
    }

    etcdctl(name: string, command: string): Promise<string> {
        return etcdctl(this.host(name), this.cluster, command);
    }

    leader(names: readonly string[]): Promise<string> {
        return leaderOf(this.bed.lab, names, this.cluster);
    }

    /** The id in hexadecimal of the member at a host's address; undefined if there is none. */
    async memberId(via: string, name: string): Promise<string | undefined> {
        const list = await this.etcdctl(via, "member list");
        const line = list.split("\n").find((one) => one.includes(`https://${this.host(name).address}:2380`));
        return line?.split(",")[0];
    }

    private endpoints(names: readonly string[]): readonly string[] {
        return names.map((name) => `https://${this.host(name).address}:2379`);
    }

    private async hash(name: string, revision: number): Promise<string> {
        const text = await this.etcdctl(name, `endpoint hashkv --rev ${revision} --write-out json`);
        const [{ HashKV }] = JSON.parse(text) as [{ HashKV: { hash: number; compact_revision?: number } }];
        return `${HashKV.hash} (compacted at ${HashKV.compact_revision ?? 0})`;
    }
}

/** Takes all down in the end. Unless the last test failed, which says enough, what clients saw of each fault has been judged by then. */
export function closeAfterAll(site: () => FaultBed | undefined): void {
    let hasPassed = false;
    afterEach(function () {
        hasPassed = this.currentTest?.state === "passed";
        if (!hasPassed) site()?.forgetWork();
    });
    after(async () => {
        const bed = site();
        await bed?.close();
        if (hasPassed) bed?.assertJudged("the end");
    });
}

/**
 * Tells why a test failed, and takes all down in the end. What a test that failed has left is no place to begin for the others.
 *
 * @param prepare what the suite's tests begin with
 */
export function lookAfter(site: () => FaultBed | undefined, prepare: () => Promise<unknown>): void {
    closeAfterAll(site);
    diagnoseFailures(() => site()?.bed.lab);
    afterEach(async function () {
        const bed = site();
        if (this.currentTest?.state !== "failed" || !bed) return;
        await bed.renew();
        await prepare();
    });
}
