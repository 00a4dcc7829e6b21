/**
 * etcd's own rules about who may join, vote, lead and leave (etcd v3.6 server/etcdserver/server.go: mayAddMember, mayPromoteMember,
 * mayRemoveMember, MoveLeader; api/membership/cluster.go: ValidateConfigurationChange).
 */
import type { EtcdErrorCode } from "../../../../components/remote/errors";
import { Violation } from "./errors";
import type { Lab } from "./lab";
import type { Machine } from "./machine";
import { quorum, voters, type ClusterModel, type MemberModel } from "./raft";

/** etcd says no. */
export class EtcdRefusal extends Error {
    override readonly name = "EtcdRefusal";

    constructor(
        readonly code: EtcdErrorCode,
        message: string,
    ) {
        super(message);
    }
}

/** How long a peer must have been connected to count (HealthInterval). */
const HEALTH_INTERVAL = 5000;

/** The share of the leader's log that a learner must have to be promoted (readyPercentThreshold). */
const READY_PERCENT = 0.9;

/** etcd's API, as one member answers it. */
export class Endpoint {
    private readonly cluster: ClusterModel;
    private readonly self: MemberModel;

    constructor(
        private readonly lab: Lab,
        private readonly machine: Machine,
    ) {
        const home = lab.memberOn(machine);
        if (!home || !lab.answers(machine)) throw new EtcdRefusal("unavailable", `${machine.name} does not answer`);
        this.cluster = home.cluster;
        this.self = home.member;
    }

    addLearner(peerUrl: string): void {
        const all = voters(this.cluster);
        if (this.connected(all) < all.length) throw new EtcdRefusal("unhealthy-cluster", "unhealthy cluster");
        this.commitOrThrow();
        if (this.cluster.members.some((member) => member.peerUrl === peerUrl))
            throw new EtcdRefusal("peer-url-exists", "Peer URLs already exists");
        if (!this.isTakenByAll()) throw new EtcdRefusal("too-many-learners", "too many learner members in cluster");
        const machine = this.lab.machines.find((candidate) => candidate.peerUrl === peerUrl);
        this.cluster.members.push(this.lab.newMember(machine ?? { peerUrl, name: "foreign" }, true));
    }

    update(id: string, peerUrl: string): void {
        this.commitOrThrow();
        const member = this.member(id);
        if (this.cluster.members.some((other) => other.peerUrl === peerUrl))
            throw new EtcdRefusal("peer-url-exists", "Peer URLs already exists");
        if (member.isLearner) throw new Violation(`learner ${id} is updated, which some versions take for a promotion`);
        this.lab.network.keep();
        member.peerUrl = peerUrl;
    }

    promote(id: string): void {
        this.commitOrThrow();
        const member = this.member(id);
        if (!member.isLearner) throw new EtcdRefusal("not-learner", "can only promote a learner member");
        const index = this.lab.machineOf(member)?.data?.index ?? 0;
        if (index < READY_PERCENT * this.cluster.committed)
            throw new EtcdRefusal("not-in-sync", "can only promote a learner member which is in sync with leader");
        const all = voters(this.cluster);
        if (1 + started(all) < quorum(all.length + 1))
            throw new EtcdRefusal("not-enough-started", "not enough started members");
        member.isLearner = false;
    }

    remove(id: string): void {
        this.commitOrThrow();
        const member = this.member(id);
        if (!member.isLearner) this.mayRemoveVoter(member);
        this.cluster.members = this.cluster.members.filter((other) => other !== member);
        this.cluster.removed.add(id);
    }

    moveLeader(id: string): void {
        if (this.cluster.leaderId !== this.self.id) throw new EtcdRefusal("not-leader", "not leader");
        this.commitOrThrow();
        const member = this.cluster.members.find((other) => other.id === id);
        if (!member || member.isLearner) throw new EtcdRefusal("bad-transferee", "bad leader transferee");
        const machine = this.lab.machineOf(member);
        if (!machine || !this.lab.network.areConnected(this.machine, machine))
            throw new EtcdRefusal("timeout", "request timed out, leader transfer took too long");
        this.cluster.leaderId = id;
    }

    private commitOrThrow(): void {
        const leader = this.lab.raft.leads(this.cluster);
        if (!leader || !this.lab.network.areConnected(leader, this.machine))
            throw new EtcdRefusal("timeout", "request timed out");
    }

    private member(id: string): MemberModel {
        const member = this.cluster.members.find((other) => other.id === id);
        if (!member) throw new EtcdRefusal("member-not-found", "member not found");
        return member;
    }

    private mayRemoveVoter(member: MemberModel): void {
        const all = voters(this.cluster);
        const staying = all.filter((other) => other !== member);
        if (started(staying) < quorum(staying.length))
            throw new EtcdRefusal("not-enough-started", "not enough started members");
        const machine = this.lab.machineOf(member);
        if (member !== this.self && !(machine && this.lab.network.hears(this.machine, machine))) return;
        if (this.connected(all) - 1 < 1 + Math.floor((all.length - 1) / 2))
            throw new EtcdRefusal("unhealthy-cluster", "unhealthy cluster");
    }

    /** Members that this one has been connected to for long enough, itself included. */
    private connected(members: readonly MemberModel[]): number {
        return members.filter((member) => {
            if (member === this.self) return true;
            const machine = this.lab.machineOf(member);
            if (!machine || !this.lab.network.hears(this.machine, machine)) return false;
            return this.lab.now - Math.max(member.aliveSince!, this.self.aliveSince!) > HEALTH_INTERVAL;
        }).length;
    }

    /** Each member judges by its own limit when it applies the change; they must not differ. */
    private isTakenByAll(): boolean {
        const learners = this.cluster.members.filter(({ isLearner }) => isLearner).length;
        const answers = this.cluster.members.flatMap((member) => {
            const service = this.lab.machineOf(member)?.service;
            return service ? [learners + 1 <= (this.lab.revisionOf(service.generation).maxLearners ?? 1)] : [];
        });
        const own = answers.includes(true);
        if (own && answers.includes(false))
            throw new Violation(
                `some members of ${this.cluster.id} take another learner, and others do not: their lists part`,
            );
        return own;
    }
}

/** etcd takes a member for started when it has a name. */
function started(members: readonly MemberModel[]): number {
    return members.filter(({ name }) => name !== "").length;
}
