/** The changes that are measured, in this order: each begins with what the one before has left, the first with one member. */
import { sparesOf, type Around, type Changed, type ClusterInUse } from "../tests/faults/clusterInUse";
import type { Bed } from "../tests/integration/fixture";
import type { ChangedByHand, HandInUse } from "./handInUse";

export interface Change {
    readonly name: string;
    /** The longest gap that it may have. */
    readonly goalSeconds?: number;
    readonly byUp: (cluster: ClusterInUse, roles: Roles) => Promise<Changed>;
    readonly byHand: (cluster: HandInUse, roles: Roles) => Promise<ChangedByHand>;
}

/** Who does what before a change. */
export interface Roles {
    readonly leader: string;
    readonly followers: readonly string[];
    /** Hosts with a member that are down. */
    readonly dead: readonly string[];
    /** Hosts that no member is on. */
    readonly spares: readonly string[];
}

const PEER_PORT = 2390;

export const CHANGES: readonly Change[] = [
    growth("1 → 3", 0.1),
    growth("3 → 5"),
    growth("5 → 7"),
    removal("7 → 3", ({ followers }) => followers.slice(2)),
    {
        name: "rolling restart",
        goalSeconds: 1,
        byUp: (cluster) => cluster.change(cluster.hosts, { tuning: { snapshotCount: 5000 } }),
        byHand: (cluster) => cluster.change(() => cluster.hand.restartAll()),
    },
    {
        name: "another peer port",
        byUp: (cluster) => cluster.change(cluster.hosts, { peerPort: PEER_PORT }),
        byHand: (cluster) => cluster.change(() => cluster.hand.movePeerPort(PEER_PORT)),
    },
    {
        name: "host renamed",
        byUp: (cluster, { followers: [host] }) => cluster.edit(host!, { name: "z" }),
        byHand: (cluster, { followers: [host] }) => cluster.change(() => cluster.hand.rename(host!, "z")),
    },
    {
        name: "another address of a host",
        byUp: (cluster, { followers: [host] }) => {
            const [address, around] = otherAddress(cluster.bed, host!);
            return cluster.edit(host!, { address }, around);
        },
        byHand: (cluster, { followers: [host] }) => {
            const [address, around] = otherAddress(cluster.bed, host!);
            return cluster.change(() => cluster.hand.moveAddress(host!, address), around);
        },
    },
    replacement("follower replaced", ({ followers }) => followers.slice(0, 1)),
    replacement("leader replaced", ({ leader }) => [leader], 1),
    {
        name: "host rebuilt under its name",
        byUp: (cluster, { followers: [host] }) => cluster.rebuild(host!),
        byHand: (cluster, { followers: [host] }) =>
            cluster.change(
                async () => {
                    await cluster.hand.remove([host!]);
                    await cluster.hand.add([host!]);
                },
                { before: () => cluster.rebuild(host!) },
            ),
    },
    {
        name: "leader's host killed",
        goalSeconds: 3,
        byUp: (cluster, { leader }) => cluster.killHost(leader),
        byHand: (cluster, { leader }) => cluster.killHost(leader),
    },
    {
        name: "dead host replaced",
        byUp: async (cluster, { dead }) => {
            const changed = await cluster.replace(dead);
            for (const host of dead) await cluster.bed.lab.host(host).rebuild();
            return changed;
        },
        byHand: async (cluster, { dead, spares }) => {
            const changed = await cluster.change(async () => {
                await cluster.hand.remove(dead);
                await cluster.hand.add(spares.slice(0, dead.length));
            });
            for (const host of dead) await cluster.rebuild(host);
            return changed;
        },
    },
    replacement("all three replaced in one edit", ({ leader, followers }) => [leader, ...followers]),
    removal("3 → 1, the leader leaves", ({ leader, followers }) => [leader, ...followers.slice(1)]),
];

export async function rolesIn(cluster: ClusterInUse | HandInUse): Promise<Roles> {
    const { bed, hosts } = cluster;
    const leader = await cluster.leader();
    const up = hosts.filter((name) => bed.lab.host(name).isRunning());
    return {
        leader,
        followers: up.filter((name) => name !== leader),
        dead: hosts.filter((name) => !up.includes(name)),
        spares: sparesOf(cluster),
    };
}

/** By two members. */
function growth(name: string, goalSeconds?: number): Change {
    return {
        name,
        ...(goalSeconds !== undefined && { goalSeconds }),
        byUp: (cluster, { spares }) => cluster.change([...cluster.hosts, ...spares.slice(0, 2)]),
        byHand: (cluster, { spares }) => cluster.change(() => cluster.hand.add(spares.slice(0, 2))),
    };
}

function removal(name: string, leaving: (roles: Roles) => readonly string[]): Change {
    return {
        name,
        byUp: (cluster, roles) => cluster.change(cluster.hosts.filter((host) => !leaving(roles).includes(host))),
        byHand: (cluster, roles) => cluster.change(() => cluster.hand.remove(leaving(roles), roles.leader)),
    };
}

function replacement(name: string, leaving: (roles: Roles) => readonly string[], goalSeconds?: number): Change {
    return {
        name,
        ...(goalSeconds !== undefined && { goalSeconds }),
        byUp: (cluster, roles) => cluster.replace(leaving(roles)),
        byHand: (cluster, roles) => {
            const coming = roles.spares.slice(0, leaving(roles).length);
            return cluster.replace(leaving(roles), coming, roles.leader);
        },
    };
}

/** A host has both addresses while its member moves. */
function otherAddress({ lab }: Bed, host: string): readonly [address: string, around: Around] {
    const address = lab.host(host).address.replace(/\d+$/, "32");
    return [address, { before: () => lab.addAddress(host, address), after: () => lab.readdress(host, address) }];
}
