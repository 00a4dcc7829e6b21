/** Hosts and their etcd, as a plain model with a clock of its own: files, systemd, raft and the network, as far as membership goes. */
import type { Id } from "../../../../components/membership/types";
import { ScriptFailed, Violation } from "./errors";
import { addressOf, nameOf, servedBy, type Machine, type Revision, type Service } from "./machine";
import { Network } from "./network";
import { Raft, type ClusterModel, type MemberModel } from "./raft";
import type { Random } from "./random";
import { startTheirs } from "./takeOver";

export class Lab {
    now = 0;
    readonly clusters: ClusterModel[] = [];
    readonly revisions: Revision[] = [];
    /** A cluster is being taken over: hosts are asked for units of somebody else's as well. */
    isTakingOver = false;
    /** How often something happened that no run did. */
    faults = 0;
    readonly network = new Network(this);
    readonly raft = new Raft(this);
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
        for (const cluster of this.clusters) this.raft.advance(cluster, milliseconds);
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
        if (!told?.initialCluster) return this.fail(service);
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

    /** A member makes its name known through the leader, and then says that it is ready. */
    private publish(machine: Machine): void {
        const { service } = machine;
        if (!service || service.isReady || service.phase !== "running" || this.now < service.readyAt) return;
        const { cluster, member } = this.memberOn(machine) ?? {};
        const leader = cluster && this.raft.leads(cluster);
        if (!member || !leader || !this.network.areConnected(leader, machine)) return;
        member.name = machine.name;
        member.clientUrls = [`https://${service.address}:2379`];
        service.isReady = true;
        machine.mayStartEmpty = false;
    }
}
