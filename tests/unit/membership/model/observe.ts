/** The model as a run sees it: by looks at hosts, and by what their etcd answers. */
import type {
    ClusterSeen,
    Desired,
    HostSeen,
    Id,
    MemberStatus,
    Observation,
    WantedHost,
} from "../../../../components/membership/types";
import { unreachable } from "../../../../components/membership/seen";
import { httpsUrl } from "../../../../components/host/settings";
import { isListed, isUp } from "../../../../components/membership/world";
import type { Lab } from "./lab";
import { peerUrlOf, portOf, type Machine } from "./machine";
import { foreignOn } from "./takeOver";

export function observe(lab: Lab, wanted: Desired): Observation {
    return refresh(
        lab,
        wanted,
        { hosts: {}, cluster: undefined },
        allHosts(wanted).map(({ key }) => key),
    );
}

/** A new look at some hosts; the others are as they were seen before. etcd is asked anew in any case. */
export function refresh(lab: Lab, wanted: Desired, before: Observation, keys: readonly string[]): Observation {
    const hosts: Record<string, HostSeen> = { ...before.hosts };
    for (const { key, address } of allHosts(wanted))
        if (keys.includes(key)) hosts[key] = look(machineAt(lab, wanted, key), { key, address }, lab);
    for (const key in hosts) hosts[key] = ask(lab, machineAt(lab, wanted, key), hosts[key]!);
    const answering = cluster(lab, wanted, hosts);
    return { hosts: withPeers(lab, wanted, hosts, answering?.leaderId), cluster: answering };
}

export function allHosts(wanted: Desired): readonly WantedHost[] {
    return [...wanted.hosts, ...wanted.retired];
}

const machinesOf = new WeakMap<Desired, ReadonlyMap<string, Machine>>();

export function machineAt(lab: Lab, wanted: Desired, key: string): Machine {
    const known = machinesOf.get(wanted) ?? machinesByKey(lab, wanted);
    const machine = known.get(key);
    if (!machine) throw new Error(`nothing is known of host ${key}`);
    return machine;
}

/** It can be logged in to at that address. */
export function isThere({ isPowered, isReachable, addresses }: Machine, address: string): boolean {
    return isPowered && isReachable && addresses.includes(address);
}

function machinesByKey(lab: Lab, wanted: Desired): ReadonlyMap<string, Machine> {
    const found = allHosts(wanted).map(
        (host) => [host.key, lab.machines.find(({ everHad }) => everHad.includes(host.address))!] as const,
    );
    const map = new Map(found);
    machinesOf.set(wanted, map);
    return map;
}

function look(machine: Machine, { key, address }: Pick<WantedHost, "key" | "address">, lab: Lab): HostSeen {
    if (!isThere(machine, address)) return unreachable(key, "no route to host");
    const { told } = machine;
    const service = machine.service?.isTheirs ? undefined : machine.service;
    const foreign = lab.isTakingOver ? foreignOn(machine) : undefined;
    const running = service && service.phase !== "failing" ? service.generation : undefined;
    return {
        name: machine.name,
        reach: { ok: true },
        unit: foreign ? (foreign.isRunning ? "active" : "inactive") : unitState(machine),
        isEnabled: machine.isEnabled,
        staged: machine.staged,
        current: machine.current,
        running,
        serving: running === undefined ? undefined : serving(machine),
        stagedPeerUrl: machine.staged && peerUrlOf(machine, machine.staged),
        currentPeerUrl: machine.current && peerUrlOf(machine, machine.current),
        machine: machine.id,
        maxLearners: running === undefined ? undefined : lab.revisionOf(running).maxLearners,
        hasLeft: machine.hasLeft,
        hasData: foreign !== undefined || (machine.data !== undefined && !machine.data.isElsewhere),
        restored: machine.restored,
        mayStartEmpty: machine.mayStartEmpty,
        isDamaged: machine.data?.isDamaged === true && service?.phase === "failing",
        identity: machine.identity,
        initialCluster: told?.initialCluster,
        initialClusterState: told?.state,
        peersLetIn: [...(machine.peers ?? [])].sort(),
        status: undefined,
        servesPeers: false,
        ...(foreign && { foreign }),
        ...(machine.plainPeers && { hasPlainPeers: true }),
    };
}

/** As its generation says, which says https of a peer port in any case. */
function serving({ name, service }: Machine): HostSeen["serving"] {
    if (!service) return undefined;
    const { address, generation } = service;
    return { name, peerUrl: httpsUrl(address, portOf(generation)), clientUrl: httpsUrl(address, 2379) };
}

function unitState({ hasUnit, service }: Machine): HostSeen["unit"] {
    if (!hasUnit) return "absent";
    if (!service || service.isTheirs) return "inactive";
    return service.isReady ? "active" : "activating";
}

/** Only a member that said it is ready is asked. */
function ask(lab: Lab, machine: Machine, seen: HostSeen): HostSeen {
    const isAsked = seen.unit === "active" && machine.isReachable && lab.answers(machine);
    const answer = isAsked ? status(lab, machine) : undefined;
    if (answer === undefined && seen.status === undefined && !seen.servesPeers) return seen;
    return { ...seen, status: answer, servesPeers: answer?.isHealthy === true };
}

/** Whoever is up and does not answer may take part all the same: the leader tells, if it answers itself. */
function withPeers(
    lab: Lab,
    wanted: Desired,
    hosts: Observation["hosts"],
    leaderId: Id | undefined,
): Observation["hosts"] {
    const leaderKey = Object.keys(hosts).find(
        (key) => leaderId !== undefined && hosts[key]?.status?.memberId === leaderId,
    );
    if (leaderKey === undefined) return hosts;
    const leader = machineAt(lab, wanted, leaderKey);
    const mayTakePart = (key: string): boolean => {
        const machine = machineAt(lab, wanted, key);
        const member = lab.memberOn(machine)?.member;
        return isUp(hosts[key]!) || (member !== undefined && !isListed(machine.peerUrl, [member.peerUrl]));
    };
    const silent = Object.keys(hosts).filter((key) => mayTakePart(key) && !hosts[key]!.status?.isHealthy);
    if (silent.length === 0) return hosts;
    const heard = { ...hosts };
    for (const key of silent) {
        const machine = machineAt(lab, wanted, key);
        const servesPeers = lab.memberOn(machine) !== undefined && lab.network.hears(leader, machine);
        heard[key] = { ...hosts[key]!, servesPeers };
    }
    return heard;
}

function status(lab: Lab, machine: Machine): MemberStatus | undefined {
    const { cluster, member } = lab.memberOn(machine) ?? {};
    if (!cluster || !member) return undefined;
    const leader = lab.raft.leads(cluster);
    const hears = leader !== undefined && lab.network.areConnected(leader, machine);
    return {
        memberId: member.id,
        clusterId: cluster.id,
        leaderId: hears ? cluster.leaderId : undefined,
        raftIndex: Math.floor(machine.data?.index ?? 0),
        isLearner: member.isLearner,
        version: "3.6.16",
        dbSizeBytes: 20480,
        isHealthy: hears && !member.isLearner,
    };
}

function cluster(lab: Lab, wanted: Desired, hosts: Observation["hosts"]): ClusterSeen | undefined {
    for (const { key } of allHosts(wanted)) {
        const answer = hosts[key]?.status;
        const found = answer?.isHealthy && lab.clusters.find(({ id }) => id === answer.clusterId);
        if (!found) continue;
        return {
            clusterId: found.id,
            leaderId: found.leaderId,
            members: found.members.map(({ id, name, peerUrl, clientUrls, isLearner }) => ({
                id,
                name,
                peerUrls: [peerUrl],
                clientUrls: [...clientUrls],
                isLearner,
            })),
            alarms: [...found.alarms],
        };
    }
    return undefined;
}
