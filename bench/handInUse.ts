/** A cluster made by hand whose workload goes on while it is changed: what ClusterInUse is for one that is declared. */
import { CHANGE, type Around } from "../tests/faults/clusterInUse";
import { Workload, type WorkloadReport } from "../tests/faults/workload/workload";
import type { Bed } from "../tests/integration/fixture";
import { ByHand } from "./byHand";

/** For the load to go on: hosts that share a machine may be slow. */
const PATIENCE_SECONDS = 120;

export interface ChangedByHand {
    readonly report: WorkloadReport;
    /** Of all steps; none where the change is a fault. */
    readonly seconds?: number;
}

export class HandInUse {
    private constructor(
        readonly bed: Bed,
        readonly hand: ByHand,
        /** Acknowledged writes before a change and after it. */
        private readonly writes: number,
    ) {}

    /** One member, on the first host; etcd is on all of them. */
    static async open(bed: Bed, writes: number): Promise<HandInUse> {
        const hosts = bed.lab.hosts.map(({ name }) => name);
        const hand = new ByHand(bed);
        await hand.install(hosts);
        await hand.bootstrap(hosts[0]!);
        return new HandInUse(bed, hand, writes);
    }

    get hosts(): readonly string[] {
        return this.hand.members;
    }

    leader(): Promise<string> {
        return this.hand.leader();
    }

    async change(act: () => Promise<void>, { before, after }: Around = {}): Promise<ChangedByHand> {
        return this.inUse(async (workload) => {
            await workload.phase(CHANGE);
            await before?.();
            const seconds = await timed(act);
            await after?.();
            return seconds;
        });
    }

    /** @param leader hands over first if it is one of them */
    async replace(leaving: readonly string[], coming: readonly string[], leader: string): Promise<ChangedByHand> {
        return this.inUse(async (workload) => {
            // Whoever is about to lose all that it knows is told of the others in time.
            if (this.hosts.every((host) => leaving.includes(host)))
                await workload.use(this.hand.endpoints([...this.hosts, ...coming]));
            await workload.phase(CHANGE);
            return timed(async () => {
                await this.hand.add(coming);
                await this.hand.remove(leaving, leader);
            });
        });
    }

    /** Pulls the plug of a host. */
    async killHost(host: string): Promise<ChangedByHand> {
        return this.inUse(async (workload) => {
            await workload.phase(CHANGE);
            await this.bed.lab.host(host).kill();
            return undefined;
        });
    }

    /** A host with nothing on it but etcd, which does not run. */
    async rebuild(host: string): Promise<void> {
        await this.bed.lab.host(host).rebuild();
        await this.hand.install([host]);
    }

    /**
     * @param act begins the phase of the change
     * @throws when the members are others than they should be then
     */
    private async inUse(act: (workload: Workload) => Promise<number | undefined>): Promise<ChangedByHand> {
        const workload = await Workload.start(this.endpoints(), undefined);
        try {
            await workload.progress(this.writes, PATIENCE_SECONDS);
            const seconds = await act(workload);
            await workload.progress(this.writes, PATIENCE_SECONDS);
            await workload.phase("after");
            await workload.useAll(this.endpoints());
            await workload.progress(this.writes, PATIENCE_SECONDS);
            await this.hand.assertMembers();
            const report = await workload.stop(this.endpoints());
            return { report, ...(seconds !== undefined && { seconds }) };
        } finally {
            workload.abandon();
        }
    }

    /** Of the members whose hosts are up. */
    private endpoints(): readonly string[] {
        return this.hand.endpoints(this.hosts.filter((host) => this.bed.lab.host(host).isRunning()));
    }
}

async function timed(act: () => Promise<void>): Promise<number> {
    const began = performance.now();
    await act();
    return (performance.now() - began) / 1000;
}
