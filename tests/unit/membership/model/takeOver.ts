/** A cluster that somebody set up by hand, and what a take-over does to one of its hosts, effect by effect. */
import { withoutTls } from "../../../../components/host/settings";
import type { Desired, ForeignSeen } from "../../../../components/membership/types";
import { ScriptFailed, Violation } from "./errors";
import type { Lab } from "./lab";
import type { Machine } from "./machine";
import { voters, type ClusterModel, type MemberModel } from "./raft";

/** A unit of somebody else's. */
export interface Theirs {
    /** It serves neither peers nor clients with TLS, and has no certificate to call others with. */
    readonly isPlain: boolean;
    /** Its data is not where ours will be. */
    readonly isElsewhere: boolean;
    isEnabled: boolean;
    /** It does not start any more while a generation of ours is in place. */
    hasDropIn: boolean;
}

export const THEIR_UNIT = "etcd.service";

/** Voters that run, each with a unit of its own, and nothing of ours on any of their hosts. */
export function foundByHand(lab: Lab, machines: readonly Machine[], isPlain: boolean): ClusterModel {
    const cluster = lab.newCluster("cluster-by-hand");
    for (const machine of machines) {
        const isElsewhere = lab.random.chance(0.5);
        const url = isPlain ? withoutTls(machine.peerUrl) : machine.peerUrl;
        const member = { ...lab.newMember({ name: machine.name, peerUrl: url }, false), wasStarted: true };
        cluster.members.push({ ...member, name: machine.name, clientUrls: [machine.clientUrl] });
        machine.data = {
            clusterId: cluster.id,
            memberId: member.id,
            index: cluster.committed,
            isTheirs: true,
            isElsewhere,
        };
        machine.theirs = { isPlain, isElsewhere, isEnabled: true, hasDropIn: false };
        startTheirs(lab, machine);
    }
    lab.tell(`set up by hand${isPlain ? " without TLS" : ""}: ${machines.map(({ name }) => name).join(" ")}`);
    return cluster;
}

/** `systemctl start` of their unit: nothing, where a condition keeps it from starting. */
export function startTheirs(lab: Lab, machine: Machine): void {
    const { theirs, data, service } = machine;
    if (!theirs || !machine.isPowered || (theirs.hasDropIn && machine.current !== undefined)) return;
    if (service?.isTheirs) return;
    if (service) throw new Violation(`${machine.name} has their unit started beside ours`);
    if (!data?.isTheirs || (data.isElsewhere ?? false) !== theirs.isElsewhere)
        throw new Violation(`${machine.name} has their unit started without its data`);
    machine.service = {
        generation: machine.generation(lab.revisions.findIndex(({ isTheirs }) => isTheirs)),
        isTheirs: true,
        isPlain: theirs.isPlain,
        address: machine.address,
        peerUrl: theirs.isPlain ? withoutTls(machine.peerUrl) : machine.peerUrl,
        phase: "running",
        dueAt: lab.now,
        serveAt: lab.now + 200,
        readyAt: lab.now + 300,
        isReady: false,
    };
}

/** What a host shows of theirs: who listens on the peer port, or what a take-over noted that has not come to its end. */
export function foreignOn({ theirs, service, hasNote, data }: Machine): ForeignSeen | undefined {
    if (!theirs) return undefined;
    const dataDir = theirs.isElsewhere ? "/srv/etcd" : "/var/lib/etcd/tools";
    const common = { unit: THEIR_UNIT, dataDir, leaves: {} };
    if (service?.isTheirs) return { ...common, isRunning: true, isPlain: theirs.isPlain };
    // Of one that is stopped, nothing else is known.
    if (hasNote && data && !service?.isReady) return { ...common, isRunning: false, isPlain: false };
    return undefined;
}

/** A host's side of a take-over: what is run on it, and what it is to be told. */
export interface TakeOver {
    readonly lab: Lab;
    readonly reach: () => Machine;
    readonly foreign: ForeignSeen;
    /** Writes the files of membership, and puts the generation in place. */
    readonly lay: readonly (() => void)[];
}

type Effects = readonly (() => void)[];

/** @returns the script up to ours being started, what follows when it is ready, and what follows when it is not */
export function takeOver({ lab, reach, foreign, lay }: TakeOver): {
    readonly effects: Effects;
    readonly ready: Effects;
    readonly failed: Effects;
} {
    const theirs = (): Theirs => reach().theirs!;
    const keep = [
        ...(foreign.isPlain ? [() => void (reach().plainPeers = withoutTls(reach().peerUrl))] : []),
        () => void (reach().hasNote = true),
    ];
    return {
        effects: [
            ...(foreign.isRunning ? keep : []),
            ...lay,
            () => (theirs().hasDropIn = true),
            () => (theirs().isEnabled = false),
            () => stopTheirs(reach()),
            () => moveData(reach(), false),
            () => void (reach().data && Object.assign(reach().data!, { isTheirs: false })),
            () => (reach().isEnabled = true),
            () => lab.start(reach()),
        ],
        ready: [() => void (reach().hasNote = false)],
        failed: [
            () => {
                if (!reach().data) throw new ScriptFailed(`${reach().name}: there is no data`);
            },
            () => (reach().isEnabled = false),
            () => stopOurs(reach()),
            () => moveData(reach(), theirs().isElsewhere),
            () => void (reach().data && Object.assign(reach().data!, { isTheirs: true })),
            () => (theirs().hasDropIn = false),
            () => Object.assign(reach(), { hasUnit: false, current: undefined }),
            () => Object.assign(reach(), { told: undefined, identity: undefined }),
            () => (theirs().isEnabled = true),
            () => startTheirs(lab, reach()),
            () => void Object.assign(reach(), { hasNote: false, plainPeers: undefined }),
        ],
    };
}

export function forgetNote(machine: Machine): void {
    Object.assign(machine, { hasNote: false, plainPeers: undefined });
}

/** All files of ours are gone, the drop-in included. Their unit stays disabled. */
export function forget(machine: Machine): void {
    forgetNote(machine);
    Object.assign(machine, { owner: undefined, isTakenOver: false });
    if (machine.theirs) machine.theirs.hasDropIn = false;
}

export function disable({ theirs }: Machine): void {
    if (theirs) theirs.isEnabled = false;
}

export function stopOurs(machine: Machine): void {
    if (!machine.service?.isTheirs) Object.assign(machine, { service: undefined, isFrozen: false });
}

/** Moves aside what is where ours has its data. */
export function setAside(machine: Machine): void {
    if (machine.service?.isTheirs && !machine.data?.isElsewhere)
        throw new Violation(`${machine.name} has the data moved of an etcd that runs`);
    if (!machine.data?.isElsewhere) machine.data = undefined;
}

export function stopTheirs(machine: Machine): void {
    if (machine.service?.isTheirs) Object.assign(machine, { service: undefined, isFrozen: false });
}

function moveData(machine: Machine, isElsewhere: boolean): void {
    if (!machine.data || (machine.data.isElsewhere ?? false) === isElsewhere) return;
    if (machine.service) throw new Violation(`${machine.name} has the data moved of an etcd that runs`);
    machine.data.isElsewhere = isElsewhere;
}

/** As long as a host that was set up by hand is declared, its member stays who it was. */
export function judgeRemovalOf(machine: Machine | undefined, { hosts }: Desired): void {
    if (machine?.data?.isTheirs && hosts.some(({ address }) => address === machine.address))
        throw new Violation(`the member on ${machine.name} is removed, and it only has to be taken over`);
}

/** All members that others set up are ours, with TLS. */
export function judgeTakenOver(cluster: ClusterModel, machineOf: (member: MemberModel) => Machine | undefined): void {
    for (const member of voters(cluster)) {
        const { id, peerUrl } = member;
        const machine = machineOf(member);
        const isOurs = machine && !machine.data?.isTheirs && machine.plainPeers === undefined;
        const isSafe = isOurs && machine.theirs?.isEnabled !== true && peerUrl.startsWith("https:");
        if (!isSafe) throw new Violation(`member ${id} (${peerUrl}) is not taken over: ${JSON.stringify(machine)}`);
    }
}
