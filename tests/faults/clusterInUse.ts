/** A cluster whose workload goes on while its declaration changes: what the tests of changes and their figures share. */
import type { EtcdClusterArgs, EtcdHostArgs } from "../../components";
import { eventually, statusOf, voters, type Bed } from "../integration/fixture";
import { Project, type ClusterOutputs, type Run } from "../integration/project";
import { addressTowards, startWorkload, workloadClient, type Workload, type WorkloadReport } from "./workload/workload";

/** The phase of a report in which the change happens. */
export const CHANGE = "change";

/** For the load to go on: hosts that share a machine may be slow. */
const PATIENCE_SECONDS = 120;

export interface Changed {
    readonly report: WorkloadReport;
    /** The `up` that made the change; none where the change is a fault. */
    readonly run?: Run;
}

/** What is done to the hosts right before `up` and right after it, as part of the change. */
export interface Around {
    readonly before?: () => Promise<void>;
    readonly after?: () => Promise<void>;
}

export class ClusterInUse {
    /** Who is declared now, by the lab's names, in this order. */
    hosts: readonly string[] = [];
    private settings: Partial<EtcdClusterArgs> = {};
    /** Who is declared otherwise than the lab has it. */
    private readonly edits = new Map<string, Partial<EtcdHostArgs>>();
    private workload: Workload | undefined;

    private constructor(
        readonly bed: Bed,
        readonly project: Project,
        readonly cluster: string,
        /** Acknowledged writes before a change and after it, so that there is something to compare. */
        private readonly writes: number,
    ) {}

    static async open(bed: Bed, cluster: string, writes: number): Promise<ClusterInUse> {
        const opened = new ClusterInUse(bed, await Project.open(), cluster, writes);
        const [first] = bed.lab.hosts;
        opened.settings = { clients: [workloadClient(await addressTowards(first!.address))] };
        return opened;
    }

    /** Without any load. */
    async build(hosts: readonly string[]): Promise<void> {
        this.hosts = hosts;
        await this.project.mustUp(this.program());
    }

    /**
     * Declares other hosts or settings while the workload goes on.
     * @throws when `up` fails, or the members are not those declared
     */
    async change(
        hosts: readonly string[],
        settings: Partial<EtcdClusterArgs> = {},
        { before, after }: Around = {},
    ): Promise<Changed> {
        return this.inUse(async (workload) => {
            // Whoever is about to lose all that it knows is told of the others in time, as any client would have to be.
            const known = this.hosts.map((name) => this.endpointOf(name));
            const losesAll = settings.clientPort !== undefined || !hosts.some((name) => this.hosts.includes(name));
            this.hosts = hosts;
            this.settings = { ...this.settings, ...settings };
            if (losesAll) await workload.use([...known, ...hosts.map((name) => this.endpointOf(name))]);
            await workload.phase(CHANGE);
            await before?.();
            const run = await this.project.mustUp(this.program());
            await after?.();
            await workload.phase("after");
            await workload.useAll(this.endpoints(await this.outputs()));
            await workload.progress(this.writes, PATIENCE_SECONDS);
            for (const name of hosts) {
                const found = (await voters(this.bed.lab.host(name), this.cluster, this.clientPort)).join();
                const declared = hosts.map((host) => this.edits.get(host)?.name ?? host).sort();
                if (found !== declared.join())
                    throw new Error(`"${name}" lists the voters ${found}, and ${declared.join()} are declared`);
            }
            return { report: await workload.stop(), run };
        });
    }

    /** Declares one host otherwise, from now on. */
    async edit(name: string, edit: Partial<EtcdHostArgs>, around?: Around): Promise<Changed> {
        this.edits.set(name, { ...this.edits.get(name), ...edit });
        return this.change(this.hosts, {}, around);
    }

    /** Declares as many others in the place of some hosts. */
    async replace(leaving: readonly string[]): Promise<Changed> {
        const coming = sparesOf(this).slice(0, leaving.length);
        if (coming.length < leaving.length) throw new Error(`no host is left to replace ${leaving.join(", ")}`);
        return this.change([...this.hosts.filter((name) => !leaving.includes(name)), ...coming]);
    }

    /** Declares nothing else: a host is there again with nothing on it. */
    async rebuild(name: string): Promise<Changed> {
        return this.change(this.hosts, {}, { before: () => this.bed.lab.host(name).rebuild() });
    }

    /** Pulls the plug of a host while the workload goes on. */
    async killHost(name: string): Promise<Changed> {
        return this.inUse(async (workload) => {
            const dead = this.bed.lab.host(name);
            await workload.phase(CHANGE);
            await dead.kill();
            await workload.progress(this.writes, PATIENCE_SECONDS);
            await workload.phase("after");
            await workload.progress(this.writes, PATIENCE_SECONDS);
            return { report: await workload.stop(this.endpoints(await this.outputs())) };
        });
    }

    /** Who leads, as a member that is up sees it. */
    async leader(): Promise<string> {
        let found: string | undefined;
        await eventually("a member leads", 60, async () => {
            for (const name of this.hosts) {
                const status = await statusOf(this.bed.lab.host(name), this.cluster, this.clientPort).catch(
                    () => undefined,
                );
                if (status && status.leader === status.header.member_id) found = name;
            }
            if (found === undefined) throw new Error(`none of ${this.hosts.join(", ")} says that it leads`);
        });
        return found!;
    }

    async followers(): Promise<readonly string[]> {
        const leader = await this.leader();
        return this.hosts.filter((name) => name !== leader);
    }

    /** For a test that has failed. */
    abandon(): void {
        this.workload?.abandon();
    }

    close(): void {
        this.abandon();
        this.project.close();
    }

    private program(): Record<string, EtcdClusterArgs> {
        const args = this.bed.declare(this.hosts, this.settings);
        const hosts = this.hosts.map((name) => ({
            ...args.hosts.find((host) => host.name === name)!,
            ...this.edits.get(name),
        }));
        const keys = this.bed.lab.hosts.map(({ name, publicHostKey }) => [
            this.edits.get(name)?.name ?? name,
            publicHostKey,
        ]);
        const ssh = { ...args.ssh, hostKeys: Object.fromEntries(keys) as Record<string, string> };
        return { [this.cluster]: { ...args, hosts, ssh } };
    }

    private async outputs(): Promise<ClusterOutputs> {
        return (await this.project.outputs())[this.cluster]!;
    }

    /** Of the members whose hosts are up. */
    private endpoints(outputs: ClusterOutputs): readonly string[] {
        const up = this.bed.lab.hosts.filter((host) => host.isRunning()).map(({ address }) => address);
        return outputs.endpoints.filter((url) => up.includes(new URL(url).hostname));
    }

    private endpointOf(name: string): string {
        return `https://${this.bed.lab.host(name).address}:${this.clientPort}`;
    }

    private get clientPort(): number {
        return this.settings.clientPort ?? 2379;
    }

    private async inUse(act: (workload: Workload) => Promise<Changed>): Promise<Changed> {
        const outputs = await this.outputs();
        const workload = await startWorkload(outputs, { endpoints: this.endpoints(outputs) });
        this.workload = workload;
        try {
            await workload.progress(this.writes, PATIENCE_SECONDS);
            return await act(workload);
        } finally {
            workload.abandon();
        }
    }
}

/** The hosts of the lab that no member is on. */
export function sparesOf({ bed, hosts }: { readonly bed: Bed; readonly hosts: readonly string[] }): readonly string[] {
    return bed.lab.hosts.map(({ name }) => name).filter((name) => !hosts.includes(name));
}
