/** Elections, replication, and who makes a quorum with whom. */
import type { Id } from "../../../../components/membership/types";
import { Violation } from "./errors";
import type { Lab } from "./lab";
import type { Machine } from "./machine";

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

export class Raft {
    constructor(private readonly lab: Lab) {}

    /** The voters that hear a machine, itself included. */
    votersHearing(cluster: ClusterModel, machine: Machine): readonly MemberModel[] {
        return voters(cluster).filter((voter) => {
            const other = this.lab.machineOf(voter);
            return other && this.lab.network.areConnected(machine, other);
        });
    }

    /** The voters that vote for a machine: nobody does for one that knows less than itself. */
    private votersFor(cluster: ClusterModel, machine: Machine): readonly MemberModel[] {
        return this.votersHearing(cluster, machine).filter(
            (voter) => this.lab.machineOf(voter)!.data!.index <= machine.data!.index,
        );
    }

    hasQuorum(cluster: ClusterModel): boolean {
        return voters(cluster).some((voter) => {
            const machine = this.lab.machineOf(voter);
            return machine && this.votersHearing(cluster, machine).length >= quorum(voters(cluster).length);
        });
    }

    /** Some client, of certain machines, gets an answer that a quorum stands for. */
    answersClients(cluster: ClusterModel, isAsked: (machine: Machine) => boolean = () => true): boolean {
        const leader = this.leads(cluster);
        return voters(cluster).some((voter) => {
            const machine = this.lab.machineOf(voter);
            return (
                leader &&
                machine &&
                isAsked(machine) &&
                this.lab.answers(machine) &&
                this.lab.network.areConnected(leader, machine)
            );
        });
    }

    advance(cluster: ClusterModel, elapsed: number): void {
        for (const member of cluster.members) {
            const machine = this.lab.machineOf(member);
            const isAlive = machine !== undefined && this.lab.isAlive(machine);
            if (!isAlive) member.aliveSince = undefined;
            else member.aliveSince ??= this.lab.now;
        }
        if (!this.leads(cluster)) this.elect(cluster);
        const leader = this.leads(cluster);
        if (!leader) return;
        cluster.committed += elapsed;
        for (const member of cluster.members) {
            const machine = this.lab.machineOf(member);
            if (!machine?.data || !this.lab.network.areConnected(leader, machine)) continue;
            const reached = member.isLearner ? machine.data.index + 20 * elapsed : Infinity;
            machine.data.index = Math.min(cluster.committed, reached);
        }
    }

    /** The leader's machine, while it leads. */
    leads(cluster: ClusterModel): Machine | undefined {
        const leader = voters(cluster).find(({ id }) => id === cluster.leaderId);
        const machine = leader && this.lab.machineOf(leader);
        if (!machine) return undefined;
        return this.votersHearing(cluster, machine).length >= quorum(voters(cluster).length) ? machine : undefined;
    }

    private elect(cluster: ClusterModel): void {
        if (cluster.leaderId !== undefined) {
            cluster.leaderId = undefined;
            cluster.electionAt = this.lab.now + 1000 + this.lab.random.below(1000);
        }
        if (this.lab.now < cluster.electionAt) return;
        const candidates = voters(cluster)
            .map((voter) => ({ voter, machine: this.lab.machineOf(voter) }))
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
}

export function voters({ members }: ClusterModel): readonly MemberModel[] {
    return members.filter(({ isLearner }) => !isLearner);
}

export function quorum(size: number): number {
    return Math.floor(size / 2) + 1;
}
