/** Hosts and their etcd, as a plain model with a clock of its own: files, systemd, raft and the network, as far as membership goes. */
import type { Id, Identity } from "../../../../components/membership/types";
import { Network } from "./network";
import type { Random } from "./random";
import { startTheirs, type Theirs } from "./takeOver";

/**
 * How a generation's etcd behaves: as it should, never starting, or taking part without answering clients: a member makes its name known
 * and says that it is ready as soon as the raft takes its word, whatever may be wrong with its client port.
 */
export type Health = "fine" | "crashing" | "deaf";

export interface Revision {
    readonly health: Health;
    /** Undefined before etcd 3.6, which takes one learner. */
    readonly maxLearners: number | undefined;
    /** It trusts those of old as well, and leaves the certificates of members as they are. */
    readonly isTakingOver?: boolean;
    /** No generation of ours, but what was set up by hand. */
    readonly isTheirs?: boolean;
}

export interface Service {
    readonly generation: string;
    readonly peerUrl: string;
    /** Where it serves, and calls from. */
    readonly address: string;
    /** A unit of somebody else's runs it. */
    readonly isTheirs?: boolean;
    /** It has no certificate to call peers with. */
    readonly isPlain?: boolean;
    phase: "failing" | "joining" | "running";
    /** When the phase goes on: the next try, the end of joining. */
    dueAt: number;
    serveAt: number;
    readyAt: number;
    isReady: boolean;
}

export interface MemberModel {
    readonly id: Id;
    peerUrl: string;
    name: string;
    clientUrls: string[];
    isLearner: boolean;
    wasStarted: boolean;
    aliveSince: number | undefined;
}

export interface ClusterModel {
    readonly id: Id;
    members: MemberModel[];
    readonly removed: Set<Id>;
    leaderId: Id | undefined;
    electionAt: number;
    committed: number;
    alarms: { memberId: Id; alarm: string }[];
}

/** One machine. What is on its disk outlives a power cut; a rebuild takes all. */
export class Machine {
    isPowered = true;
    isReachable = true;
    isFrozen = false;
    hasUnit = false;
    isEnabled = false;
    /** Its unit starts without data, until there is some. */
    mayStartEmpty = false;
    /** Its etcd ended by itself. */
    hasLeft = false;
    staged: string | undefined;
    current: string | undefined;
    told: { initialCluster: string; state: "new" | "existing" } | undefined;
    identity: Identity | undefined;
    peers: readonly string[] | undefined;
    data:
        | { clusterId: Id; memberId: Id; index: number; isDamaged?: boolean; isTheirs?: boolean; isElsewhere?: boolean }
        | undefined;
    theirs: Theirs | undefined;
    /** A take-over of it has begun, and not ended. */
    hasNote = false;
    /** Where our unit serves peers without TLS, whatever its generation says; "ending" while that is about to be over. */
    plainPeers: string | undefined;
    /** Whose state gave it its files. */
    owner: number | undefined;
    /** Its files were given to it to take over what is there. */
    isTakenOver = false;
    service: Service | undefined;
    /** What it has now, which may be more than one, or not the declared one. */
    addresses: readonly string[];
    /** All that it ever had, which no other machine gets. */
    everHad: readonly string[];
    /** What its certificate is for; replaced under a member that runs. */
    certified: string | undefined;

    constructor(
        /** As the program calls it; a host can be renamed. */
        public name: string,
        /** As the program declares it; a host can get another one. */
        public address: string,
        /** Where the program has its member serve peers. */
        public peerPort = 2380,
    ) {
        this.addresses = [address];
        this.everHad = [address];
    }

    /** What tells it from every other machine. */
    get id(): string {
        return this.everHad[0]!;
    }

    /** As the program declares it. */
    get peerUrl(): string {
        return peerUrl(this.address, this.peerPort);
    }

    /** As its etcd was started. */
    get servedPeerUrl(): string | undefined {
        return this.service?.peerUrl;
    }

    /** What is laid down on it for one of the program's revisions. */
    generation(revision: number): string {
        const address = this.address === this.id ? "" : `@${this.address}`;
        return `${this.name}-r${revision}-p${this.peerPort}${address}`;
    }

    get clientUrl(): string {
        return `https://${this.address}:2379`;
    }

    /** A new disk. */
    rebuild(): void {
        Object.assign(this, new Machine(this.name, this.address, this.peerPort), {
            isPowered: this.isPowered,
            isReachable: this.isReachable,
            addresses: this.addresses,
            everHad: this.everHad,
        });
    }
}

/** Something that must never happen. */
export class Violation extends Error {
    override readonly name = "Violation";
}

/** A step's script failed on its host. */
export class ScriptFailed extends Error {
    override readonly name = "ScriptFailed";
}

export class Lab {
    now = 0;
    readonly clusters: ClusterModel[] = [];
    readonly revisions: Revision[] = [];
    /** A cluster is being taken over: hosts are asked for units of somebody else's as well. */
    isTakingOver = false;
    /** How often something happened that no run did. */
    faults = 0;
    readonly network = new Network(this);
    private readonly told: { readonly at: number; readonly line: string }[] = [];
    private memberCount = 0;

    constructor(
        readonly machines: readonly Machine[],
        readonly random: Random,
    ) {}

    tell(line: string): void {
        this.told.push({ at: this.now, line });
    }

    get story(): readonly string[] {
        return this.told.map(({ at, line }) => `${(at / 1000).toFixed(2)} ${line}`);
    }

    revisionOf(generation: string): Revision {
        const revision = this.revisions[Number(/-r(\d+)-/.exec(generation)?.[1])];
        if (!revision) throw new Error(`there is no generation ${generation}`);
        return revision;
    }

    machineOf(member: MemberModel): Machine | undefined {
        for (const machine of this.machines) if (machine.data?.memberId === member.id) return machine;
        return undefined;
    }

    /** The cluster that a machine's data belongs to, while it is a member. */
    memberOn(machine: Machine): { cluster: ClusterModel; member: MemberModel } | undefined {
        const cluster = this.clusters.find(({ id }) => id === machine.data?.clusterId);
        const member = cluster?.members.find(({ id }) => id === machine.data?.memberId);
        return cluster && member && { cluster, member };
    }

    newMember(machine: Pick<Machine, "peerUrl" | "name">, isLearner: boolean): MemberModel {
        this.memberCount += 1;
        return {
            id: `${machine.name}${this.memberCount}`,
            peerUrl: machine.peerUrl,
            name: "",
            clientUrls: [],
            isLearner,
            wasStarted: false,
            aliveSince: undefined,
        };
    }

    /** Without members yet. */
    newCluster(id: Id): ClusterModel {
        const cluster: ClusterModel = {
            id,
            members: [],
            removed: new Set(),
            leaderId: undefined,
            electionAt: this.now + 100,
            committed: 1000,
            alarms: [],
        };
        this.clusters.push(cluster);
        return cluster;
    }

    /** Serves its peers. */
    isAlive(machine: Machine): boolean {
        const { service } = machine;
        return machine.isPowered && !machine.isFrozen && service?.phase === "running" && this.now >= service.serveAt;
    }

    /** Serves its clients. */
    answers(machine: Machine): boolean {
        const { service } = machine;
        return (
            service?.isReady === true &&
            this.isAlive(machine) &&
            machine.addresses.includes(service.address) &&
            this.revisionOf(service.generation).health !== "deaf"
        );
    }

    /** The voters that hear a machine, itself included. */
    votersHearing(cluster: ClusterModel, machine: Machine): readonly MemberModel[] {
        return voters(cluster).filter((voter) => {
            const other = this.machineOf(voter);
            return other && this.network.areConnected(machine, other);
        });
    }

    /** The voters that vote for a machine: nobody does for one that knows less than itself. */
    private votersFor(cluster: ClusterModel, machine: Machine): readonly MemberModel[] {
        return this.votersHearing(cluster, machine).filter(
            (voter) => this.machineOf(voter)!.data!.index <= machine.data!.index,
        );
    }

    hasQuorum(cluster: ClusterModel): boolean {
        return voters(cluster).some((voter) => {
            const machine = this.machineOf(voter);
            return machine && this.votersHearing(cluster, machine).length >= quorum(voters(cluster).length);
        });
    }

    /** Some client, of certain machines, gets an answer that a quorum stands for. */
    answersClients(cluster: ClusterModel, isAsked: (machine: Machine) => boolean = () => true): boolean {
        const leader = this.leads(cluster);
        return voters(cluster).some((voter) => {
            const machine = this.machineOf(voter);
            return (
                leader &&
                machine &&
                isAsked(machine) &&
                this.answers(machine) &&
                this.network.areConnected(leader, machine)
            );
        });
    }

    /** `systemctl restart --no-block` */
    start(machine: Machine): void {
        if (!machine.hasUnit) throw new ScriptFailed(`${machine.name}: unit not found`);
        if (machine.service?.isTheirs) throw new Violation(`${machine.name} has our unit started beside theirs`);
        machine.service = undefined;
        machine.hasLeft = false;
        if (!machine.told || !machine.isPowered) return;
        this.attempt(machine);
    }

    boot(machine: Machine): void {
        machine.isPowered = true;
        if (machine.isEnabled && machine.hasUnit) this.start(machine);
        if (machine.theirs?.isEnabled) startTheirs(this, machine);
    }

    advance(milliseconds: number): void {
        this.now += milliseconds;
        for (const machine of this.machines) this.progress(machine);
        for (const cluster of this.clusters) this.raft(cluster, milliseconds);
        for (const machine of this.machines) this.publish(machine);
    }

    private attempt(machine: Machine): void {
        const generation = machine.current;
        if (generation === undefined) throw new ScriptFailed(`${machine.name}: no environment file`);
        const service: Service = {
            generation,
            peerUrl: servedBy(machine, generation),
            address: addressOf(machine, generation),
            phase: "running",
            dueAt: this.now,
            serveAt: this.now + 200,
            readyAt: this.now + 300,
            isReady: false,
        };
        machine.service = service;
        const data = machine.data?.isElsewhere ? undefined : machine.data;
        if (data) machine.mayStartEmpty = false;
        else if (!machine.mayStartEmpty) return this.fail(service);
        // What is not an address of the machine can't be bound.
        if (!machine.addresses.includes(service.address)) return this.fail(service);
        if (this.revisionOf(generation).health === "crashing" || data?.isDamaged || data?.isTheirs)
            return this.fail(service);
        if (data) return;
        service.phase = "joining";
        service.dueAt = this.now + 100;
    }

    /** systemd tries again in 2 s, for ever. */
    private fail(service: Service): void {
        service.phase = "failing";
        service.dueAt = this.now + 2000;
    }

    private progress(machine: Machine): void {
        const { service } = machine;
        if (!service || machine.isFrozen || !machine.isPowered) return;
        if (service.phase === "failing" && this.now >= service.dueAt) this.attempt(machine);
        else if (service.phase === "joining" && this.now >= service.dueAt) this.join(machine, service);
        else if (service.phase === "running" && this.isRemoved(machine)) this.leave(machine, service);
    }

    /** Measured with 3.6.16: it ends with code 0 when it is removed, and with 1 when it is started again, which systemd does for ever. */
    private leave(machine: Machine, service: Service): void {
        if (!service.isTheirs && !service.isReady && this.random.chance(0.8)) return this.fail(service);
        machine.service = undefined;
        machine.hasLeft = !service.isTheirs;
    }

    private isRemoved({ data }: Machine): boolean {
        if (!data) return false;
        const cluster = this.clusters.find(({ id }) => id === data.clusterId);
        return cluster?.removed.has(data.memberId) === true;
    }

    /** A first start, on an empty data directory. */
    private join(machine: Machine, service: Service): void {
        const { told } = machine;
        if (!told) return this.fail(service);
        // What a member that was removed left in a directory of its own is in nobody's way, nor is its unit.
        if (machine.data?.isElsewhere && this.isRemoved(machine)) machine.theirs = undefined;
        else if (machine.data)
            throw new Violation(`${machine.name} starts empty beside the data of ${machine.data.memberId}`);
        if (told.state === "new") return this.found(machine, service);
        const urls = told.initialCluster.split(",").map((entry) => entry.split("=")[1]);
        const cluster = this.clusters.find(({ members }) =>
            members.some((member) => {
                const peer = urls.includes(member.peerUrl) && this.machineOf(member);
                return peer && this.network.finds(machine, peer);
            }),
        );
        if (!cluster) return this.fail(service);
        const member = cluster.members.find((one) => one.peerUrl === machine.servedPeerUrl);
        const isExact =
            cluster.members.length === urls.length && cluster.members.every((m) => urls.includes(m.peerUrl));
        const learners = cluster.members.filter(({ isLearner }) => isLearner).length;
        const limit = this.revisionOf(service.generation).maxLearners ?? 1;
        if (!member || !isExact || learners > limit) return this.fail(service);
        if (member.wasStarted && !member.isLearner)
            throw new Violation(`voter ${member.id} started empty under an identity that has voted`);
        member.wasStarted = true;
        machine.data = { clusterId: cluster.id, memberId: member.id, index: 0 };
        service.phase = "running";
        service.serveAt = this.now + 100;
        // A publication that is lost is tried again after 7 s.
        service.readyAt = this.now + (this.random.chance(0.3) ? 7000 : 200);
    }

    private found(machine: Machine, service: Service): void {
        const [elder] = this.clusters;
        const { name, servedPeerUrl, told } = machine;
        // It must find itself, as it is called and where it serves, in what it is told.
        if (told?.initialCluster !== `${nameOf(service.generation)}=${servedPeerUrl}`) return this.fail(service);
        if (elder) throw new Violation(`${machine.name} founds a cluster, and ${elder.id} existed before`);
        const member = { ...this.newMember({ name, peerUrl: servedPeerUrl! }, false), wasStarted: true };
        const cluster = this.newCluster(`cluster-${this.clusters.length + 1}`);
        cluster.members.push(member);
        machine.data = { clusterId: cluster.id, memberId: member.id, index: cluster.committed };
        service.phase = "running";
        service.serveAt = this.now + 100;
        service.readyAt = this.now + 200;
        this.tell(`${machine.name} founds ${cluster.id}`);
    }

    private raft(cluster: ClusterModel, elapsed: number): void {
        for (const member of cluster.members) {
            const machine = this.machineOf(member);
            const isAlive = machine !== undefined && this.isAlive(machine);
            if (!isAlive) member.aliveSince = undefined;
            else member.aliveSince ??= this.now;
        }
        if (!this.leads(cluster)) this.elect(cluster);
        const leader = this.leads(cluster);
        if (!leader) return;
        cluster.committed += elapsed;
        for (const member of cluster.members) {
            const machine = this.machineOf(member);
            if (!machine?.data || !this.network.areConnected(leader, machine)) continue;
            const reached = member.isLearner ? machine.data.index + 20 * elapsed : Infinity;
            machine.data.index = Math.min(cluster.committed, reached);
        }
    }

    /** The leader's machine, while it leads. */
    leads(cluster: ClusterModel): Machine | undefined {
        const leader = voters(cluster).find(({ id }) => id === cluster.leaderId);
        const machine = leader && this.machineOf(leader);
        if (!machine) return undefined;
        return this.votersHearing(cluster, machine).length >= quorum(voters(cluster).length) ? machine : undefined;
    }

    private elect(cluster: ClusterModel): void {
        if (cluster.leaderId !== undefined) {
            cluster.leaderId = undefined;
            cluster.electionAt = this.now + 1000 + this.random.below(1000);
        }
        if (this.now < cluster.electionAt) return;
        const candidates = voters(cluster)
            .map((voter) => ({ voter, machine: this.machineOf(voter) }))
            .filter(
                ({ machine }) => machine && this.votersFor(cluster, machine).length >= quorum(voters(cluster).length),
            )
            .sort((a, b) => b.machine!.data!.index - a.machine!.data!.index);
        const [best] = candidates;
        if (!best) return;
        if (best.machine!.data!.index < cluster.committed)
            throw new Violation(`${cluster.id} lost acknowledged writes`);
        cluster.leaderId = best.voter.id;
    }

    /** A member makes its name known through the leader, and then says that it is ready. */
    private publish(machine: Machine): void {
        const { service } = machine;
        if (!service || service.isReady || service.phase !== "running" || this.now < service.readyAt) return;
        const { cluster, member } = this.memberOn(machine) ?? {};
        const leader = cluster && this.leads(cluster);
        if (!member || !leader || !this.network.areConnected(leader, machine)) return;
        member.name = machine.name;
        member.clientUrls = [`https://${service.address}:2379`];
        service.isReady = true;
        machine.mayStartEmpty = false;
    }
}

export function voters({ members }: ClusterModel): readonly MemberModel[] {
    return members.filter(({ isLearner }) => !isLearner);
}

export function quorum(size: number): number {
    return Math.floor(size / 2) + 1;
}

function peerUrl(address: string, port: number): string {
    return `https://${address}:${port}`;
}

export function portOf(generation: string): number {
    return Number(/-p(\d+)(@|$)/.exec(generation)![1]);
}

export function addressOf({ id }: Machine, generation: string): string {
    return /@(.+)$/.exec(generation)?.[1] ?? id;
}

function nameOf(generation: string): string {
    return generation.slice(0, generation.lastIndexOf("-r"));
}

/** A file of membership's overrides the generation, which says https from the beginning. */
function servedBy(machine: Machine, generation: string): string {
    const { plainPeers } = machine;
    return plainPeers && plainPeers !== "ending"
        ? plainPeers
        : peerUrl(addressOf(machine, generation), portOf(generation));
}
