/** What no step may do to the model, whatever was asked for. */
import { describe } from "../../../../components/membership/plan";
import type { Desired, Id, Observation, Step } from "../../../../components/membership/types";
import { Violation } from "./errors";
import type { Lab } from "./lab";
import { quorum, voters, type ClusterModel } from "./raft";
import { machineAt } from "./observe";
import { judgeRemovalOf } from "./takeOver";

/** Judges a step just before it is taken, by what the run saw. */
export function judgeStep(lab: Lab, wanted: Desired, seen: Observation, step: Step): void {
    if (step.kind === "remove") judgeRemoval(lab, wanted, seen, step);
    if (step.kind === "restart") judgeRestart(lab, wanted, step.host);
    if (step.kind === "set-aside" || step.kind === "retire") {
        const machine = machineAt(lab, wanted, step.host);
        const isGivenUp = machine.data !== undefined && machine.data.clusterId === wanted.restore?.replaces;
        if (!isGivenUp && lab.memberOn(machine) && lab.isAlive(machine))
            throw new Violation(`${step.kind} takes the data of ${machine.name}, which is a member and runs`);
    }
}

function judgeRemoval(lab: Lab, wanted: Desired, seen: Observation, step: Extract<Step, { kind: "remove" }>): void {
    for (const cluster of lab.clusters) {
        const member = cluster.members.find(({ id }) => id === step.memberId);
        if (!member || member.isLearner) continue;
        judgeRemovalOf(lab.machineOf(member), wanted);
        if (step.snapshotOn === undefined) throw new Violation(`voter ${member.id} is removed without a snapshot`);
        const isSeen = Object.values(seen.hosts).some(
            ({ status }) => status?.memberId === member.id && status.isHealthy,
        );
        if (cluster.leaderId === member.id && isSeen) throw new Violation(`${member.id} is removed while it leads`);
    }
}

/** Nobody who is well is restarted while a generation keeps another voter from being well. */
function judgeRestart(lab: Lab, wanted: Desired, key: string): void {
    const target = machineAt(lab, wanted, key);
    const home = lab.memberOn(target);
    const leader = home && lab.raft.leads(home.cluster);
    if (!leader || !lab.answers(target) || !lab.network.areConnected(leader, target)) return;
    const broken = voters(home.cluster).find((voter) => {
        const machine = lab.machineOf(voter);
        if (!machine || machine === target || !machine.isPowered || !machine.service) return false;
        return lab.revisionOf(machine.service.generation).health !== "fine";
    });
    if (broken) throw new Violation(`${target.name} is restarted while ${broken.id} is broken by its generation`);
}

const stopsOne: ReadonlySet<Step["kind"]> = new Set(["restart", "start", "bootstrap", "take-over", "secure-peers"]);

/**
 * The clusters that answered clients, among them a host that the run can reach, and lose their quorum by an effect. Two voters can't spare
 * one for a restart, and one can't either. What a wait that was in vain ends with may cost the quorum of a leader that answers no clients:
 * of that, nobody can ask on whom it rests.
 */
export class QuorumWatch {
    private readonly before: readonly ClusterModel[];

    constructor(
        private readonly lab: Lab,
        private readonly step: Step,
        isLastResort: boolean,
        /** The cluster that the operator has given up. */
        givenUp: Id | undefined,
    ) {
        const isKnown = (cluster: ClusterModel): boolean => {
            const leader = lab.raft.leads(cluster);
            return cluster.id !== givenUp && (!isLastResort || (leader !== undefined && lab.answers(leader)));
        };
        this.before = lab.clusters.filter(
            (cluster) => lab.raft.answersClients(cluster, (machine) => machine.isReachable) && isKnown(cluster),
        );
    }

    check(): void {
        for (const cluster of this.before) {
            if (this.lab.raft.hasQuorum(cluster)) continue;
            const size = voters(cluster).length;
            if (size <= 2 && stopsOne.has(this.step.kind)) continue;
            throw new Violation(`"${describe(this.step)}" cost ${cluster.id} its quorum of ${quorum(size)} of ${size}`);
        }
    }
}
