/** What happens to hosts and members that no run did. Never so much that no run could repair it: that is another test's concern. */
import { Endpoint, EtcdRefusal } from "./etcd";
import { Violation } from "./errors";
import type { Lab } from "./lab";
import type { Machine } from "./machine";
import { quorum, voters, type ClusterModel } from "./raft";
import type { Random } from "./random";
import { startTheirs } from "./takeOver";

export class Faults {
    constructor(
        private readonly lab: Lab,
        private readonly random: Random,
    ) {}

    one(): void {
        const kinds = [
            this.cutPower,
            this.freeze,
            this.unplug,
            this.stopUnit,
            this.rebuild,
            this.loseData,
            this.damageLog,
            this.emptyFile,
            this.shutPeerOut,
            this.keepFromCalling,
            this.removeByHand,
            this.addByHand,
            this.addForeign,
            this.passLead,
            this.loseUnit,
            this.disable,
            this.raiseAlarm,
            ...(this.lab.revisions.some(({ isTheirs }) => isTheirs) ? [this.startTheirs] : []),
        ];
        const machine = this.random.pick(this.lab.machines);
        this.happen(this.random.pick(kinds).call(this, machine), machine);
    }

    mendOne(): void {
        const machine = this.random.pick(this.lab.machines);
        this.happen(this.mend(machine) ? "is mended" : undefined, machine);
    }

    mendAll(): void {
        for (const machine of this.lab.machines) this.mend(machine);
        for (const machine of this.lab.machines) if (!machine.theirs?.hasDropIn) this.startTheirs(machine);
        for (const cluster of this.lab.clusters) cluster.alarms = [];
    }

    /** As an operator is told to: a learner of certain hosts, or a member whose data is gone. */
    removeAsTold(id: string, learnersAt: readonly string[]): void {
        for (const cluster of this.lab.clusters) {
            const member = cluster.members.find((one) => one.id === id);
            if (!member) continue;
            const isLearnerThere = member.isLearner && learnersAt.includes(member.peerUrl);
            if (isLearnerThere || !this.lab.machineOf(member))
                this.byHand(cluster, "", (endpoint) => endpoint.remove(id));
        }
    }

    private happen(what: string | undefined, machine: Machine): void {
        if (what === undefined) return;
        this.lab.faults += 1;
        this.lab.tell(`! ${machine.name}@${machine.address} ${what}`);
    }

    private mend(machine: Machine): boolean {
        const { network } = this.lab;
        const isKept = network.isKeptFromCalling(machine);
        const wasIll = !machine.isPowered || !machine.isReachable || machine.isFrozen || isKept;
        network.keepFromCalling(machine, undefined);
        machine.isReachable = true;
        machine.isFrozen = false;
        if (!machine.isPowered) this.lab.boot(machine);
        return wasIll;
    }

    private cutPower(machine: Machine): string {
        machine.isPowered = false;
        machine.isFrozen = false;
        machine.service = undefined;
        return "loses power";
    }

    private freeze(machine: Machine): string | undefined {
        if (!machine.service) return undefined;
        machine.isFrozen = true;
        this.lab.network.cut(machine);
        return "freezes";
    }

    private unplug(machine: Machine): string {
        machine.isReachable = false;
        return "can't be reached";
    }

    private stopUnit(machine: Machine): string | undefined {
        if (!machine.service) return undefined;
        machine.service = undefined;
        machine.isFrozen = false;
        return "has its unit stopped";
    }

    private rebuild(machine: Machine): string | undefined {
        if (!this.isSpared(machine)) return undefined;
        machine.rebuild();
        return "is rebuilt";
    }

    /** A new disk for the data alone; or one that is not mounted any more when the host comes back. */
    private loseData(machine: Machine): string | undefined {
        if (!machine.data || !this.isSpared(machine)) return undefined;
        Object.assign(machine, { data: undefined, service: undefined, isFrozen: false });
        if (machine.isPowered && this.random.chance(0.5)) this.lab.boot(machine);
        return "loses its data";
    }

    /**
     * A bit of its log flips, which its next start finds. A learner's does not: were it promoted in that very moment, as etcd does with
     * one that was in sync, one voter would be left of two.
     */
    private damageLog(machine: Machine): string | undefined {
        const isLearner = this.lab.memberOn(machine)?.member.isLearner === true;
        if (!machine.data || isLearner || machine.hasNote || !this.isSpared(machine)) return undefined;
        machine.data.isDamaged = true;
        if (machine.service) this.lab.start(machine);
        return "has its log damaged";
    }

    /** As a loss of power may leave it. */
    private emptyFile(machine: Machine): string | undefined {
        if (!machine.told || machine.hasNote) return undefined;
        machine.told = {};
        if (machine.service && machine.isEnabled && this.random.chance(0.5)) {
            this.cutPower(machine);
            this.lab.boot(machine);
        }
        return "has its membership file emptied";
    }

    private shutPeerOut(machine: Machine): string | undefined {
        const [first, ...rest] = this.random.shuffled(machine.peers ?? []);
        if (first === undefined) return undefined;
        machine.peers = rest;
        return `shuts ${first} out`;
    }

    private keepFromCalling(machine: Machine): string {
        const other = this.random.pick(this.lab.machines.filter((one) => one !== machine));
        this.lab.network.keepFromCalling(machine, other);
        return `can't call ${other.name}`;
    }

    private removeByHand(machine: Machine): string | undefined {
        const home = this.lab.memberOn(machine);
        if (!home || voters(home.cluster).length < 3 || machine.hasNote || !this.isSpared(machine)) return undefined;
        return this.byHand(home.cluster, "is removed by hand", (endpoint) => endpoint.remove(home.member.id));
    }

    private addByHand(machine: Machine): string | undefined {
        const cluster = this.living();
        if (!cluster || machine.data) return undefined;
        return this.byHand(cluster, "is added by hand", (endpoint) => endpoint.addLearner(machine.peerUrl));
    }

    private addForeign(): string | undefined {
        const cluster = this.living();
        const what = "(or its neighbour) is told of a stranger";
        return cluster && this.byHand(cluster, what, (endpoint) => endpoint.addLearner("https://10.9.9.9:2380"));
    }

    private passLead(): string | undefined {
        const cluster = this.living();
        if (!cluster) return undefined;
        const next = this.random.pick(voters(cluster));
        const machine = this.lab.machineOf(next);
        const leader = this.lab.raft.leads(cluster);
        if (!leader || !machine || !this.lab.network.areConnected(leader, machine)) return undefined;
        cluster.leaderId = next.id;
        return `(or its neighbour) sees ${next.id} take the lead`;
    }

    private loseUnit(machine: Machine): string | undefined {
        if (!machine.hasUnit) return undefined;
        Object.assign(machine, { hasUnit: false, isEnabled: false });
        if (!machine.service?.isTheirs) machine.service = undefined;
        return "loses its unit";
    }

    /** Somebody who knows of no take-over. */
    private startTheirs(machine: Machine): string | undefined {
        const { theirs, service, data } = machine;
        if (!theirs || service || !data?.isTheirs || data.isElsewhere !== theirs.isElsewhere) return undefined;
        startTheirs(this.lab, machine);
        return machine.service ? "has the unit started that was set up by hand" : undefined;
    }

    private disable(machine: Machine): string | undefined {
        if (!machine.isEnabled) return undefined;
        machine.isEnabled = false;
        return "has its unit disabled";
    }

    private raiseAlarm(machine: Machine): string | undefined {
        const home = this.lab.memberOn(machine);
        if (!home || home.cluster.alarms.length > 0) return undefined;
        home.cluster.alarms.push({ memberId: home.member.id, alarm: this.random.pick(["NOSPACE", "CORRUPT"]) });
        return "raises an alarm";
    }

    /** Its data can go: the other voters' is a quorum, of what is listed now and of what a run may be about to list. */
    private isSpared(machine: Machine): boolean {
        const home = this.lab.memberOn(machine);
        if (machine.data?.isTheirs || machine.theirs?.isEnabled) return false;
        if (!home) return machine.data === undefined;
        if (home.member.isLearner) return true;
        const all = voters(home.cluster);
        const others = all.filter((voter) => {
            const other = voter === home.member ? undefined : this.lab.machineOf(voter);
            return other?.data && !other.data.isDamaged && this.isFine(other);
        });
        return others.length >= quorum(all.length + 1);
    }

    /** One that its generation breaks may be declared no more before it is given a better one. */
    private isFine({ current }: Machine): boolean {
        return current === undefined || this.lab.revisionOf(current).health === "fine";
    }

    private living(): ClusterModel | undefined {
        return this.lab.clusters.find((cluster) => this.lab.raft.leads(cluster));
    }

    private byHand(cluster: ClusterModel, what: string, call: (endpoint: Endpoint) => void): string | undefined {
        const leader = this.lab.raft.leads(cluster);
        if (!leader) return undefined;
        try {
            call(new Endpoint(this.lab, leader));
            return what;
        } catch (error) {
            // A learner that some members take, and others don't, parts their lists, which no run could repair.
            if (error instanceof EtcdRefusal || error instanceof Violation) return undefined;
            throw error;
        }
    }
}
