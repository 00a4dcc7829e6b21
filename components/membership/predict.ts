/** What a step should lead to. The preview is built from it, and a run compares it with what it then sees. */
import type {
    ClusterSeen,
    Desired,
    HostSeen,
    Id,
    Identity,
    Member,
    MemberStatus,
    Observation,
    Step,
    WantedHost,
} from "./types";
import { LATER, isBeingBorn, memberOf, restoration } from "./world";

/** An identity that etcd will give: shown in a preview as it is. */
function idOf(host: WantedHost): Id {
    return `(new ${host.name})`;
}

/** What membership notes on a host of this cluster. */
function identityOf(seen: Observation, { clusterToken }: Desired, memberId: Id | undefined): Identity {
    return { clusterToken, clusterId: seen.cluster?.clusterId, memberId };
}

function withHost(seen: Observation, key: string, change: Partial<HostSeen>): Observation {
    const host = seen.hosts[key];
    if (!host) return seen;
    return { ...seen, hosts: { ...seen.hosts, [key]: { ...host, ...change } } };
}

function withHosts(
    seen: Observation,
    keys: readonly string[],
    change: (key: string) => Partial<HostSeen>,
): Observation {
    return keys.reduce((world, key) => withHost(world, key, change(key)), seen);
}

/** All who answer say so. */
function led(seen: Observation, leaderId: string): Observation {
    if (!seen.cluster) return seen;
    const told = withHosts(seen, Object.keys(seen.hosts), (key) => {
        const status = seen.hosts[key]?.status;
        return status ? { status: { ...status, leaderId } } : {};
    });
    return { ...told, cluster: { ...seen.cluster, leaderId } };
}

function withMembers(seen: Observation, change: (members: readonly Member[]) => readonly Member[]): Observation {
    if (!seen.cluster) return seen;
    return { ...seen, cluster: { ...seen.cluster, members: change(seen.cluster.members) } };
}

/** Who joins or comes back catches up. */
function furthest(hosts: Observation["hosts"]): number {
    return Math.max(0, ...Object.values(hosts).map(({ status }) => status?.raftIndex ?? 0));
}

function answering({ hosts }: Observation, cluster: ClusterSeen, member: Member, version: string): MemberStatus {
    return {
        memberId: member.id,
        clusterId: cluster.clusterId,
        leaderId: cluster.leaderId,
        raftIndex: furthest(hosts),
        isLearner: member.isLearner,
        version,
        dbSizeBytes: 0,
        isHealthy: !member.isLearner,
    };
}

function started(seen: Observation, wanted: Desired, host: WantedHost): Observation {
    const { current, staged, stagedPeerUrl, version } = seen.hosts[host.key]!;
    const isDeclared = wanted.hosts.includes(host);
    const isFormer = !isDeclared && current === staged;
    const up = withHost(seen, host.key, {
        unit: "active",
        hasData: true,
        servesPeers: true,
        running: current,
        version: isDeclared && current === (host.generation ?? LATER) ? wanted.version : version,
        serving: {
            name: host.name,
            peerUrl: (isFormer && stagedPeerUrl) || host.peerUrl,
            clientUrl: host.clientUrl,
        },
    });
    const member = memberOf({ seen: up, wanted }, host);
    if (!up.cluster || !member) return up;
    const named = { ...member, name: host.name, clientUrls: [host.clientUrl] };
    const listed = withMembers(up, (all) => all.map((one) => (one.id === member.id ? named : one)));
    return withHost(listed, host.key, { status: answering(up, up.cluster, named, wanted.version) });
}

/** A cluster that is given up answers no more: its members go one after the other. */
function withoutReplaced(seen: Observation, { restore }: Desired): Observation {
    const isReplaced = seen.cluster !== undefined && seen.cluster.clusterId === restore?.replaces;
    return isReplaced ? { ...seen, cluster: undefined } : seen;
}

function known(wanted: Desired, key: string): WantedHost {
    const host = [...wanted.hosts, ...wanted.retired].find((candidate) => candidate.key === key);
    if (!host) throw new Error(`a step names host "${key}", which is neither declared nor retired`);
    return host;
}

function stepped(seen: Observation, wanted: Desired, step: Step): Observation {
    switch (step.kind) {
        case "restore-snapshot":
            return withHost(seen, step.host, { restored: restoration(wanted, known(wanted, step.host)) });
        case "bootstrap": {
            const host = known(wanted, step.host);
            const member: Member = {
                id: idOf(host),
                name: host.name,
                peerUrls: [host.peerUrl],
                clientUrls: [host.clientUrl],
                isLearner: false,
            };
            const cluster: ClusterSeen = { clusterId: "(new)", leaderId: member.id, members: [member], alarms: [] };
            const born = withHost({ ...seen, cluster }, host.key, {
                isEnabled: true,
                initialCluster: `${host.name}=${host.peerUrl}`,
                initialClusterState: "new",
                identity: { clusterToken: wanted.clusterToken, clusterId: undefined, memberId: undefined },
                current: host.generation ?? LATER,
                maxLearners: wanted.maxLearners,
                restored: undefined,
            });
            return started(born, wanted, host);
        }
        case "let-in":
            return withHosts(seen, step.hosts, () => ({ peersLetIn: step.addresses }));
        case "activate":
            return withHosts(seen, step.hosts, (key) => ({
                current: known(wanted, key).generation ?? LATER,
                ...(seen.hosts[key]?.unit === "absent" && { unit: "inactive" as const }),
            }));
        case "add-learner": {
            const host = known(wanted, step.host);
            const member: Member = {
                id: idOf(host),
                name: "",
                peerUrls: [step.peerUrl],
                clientUrls: [],
                isLearner: true,
            };
            return withMembers(seen, (all) => [...all, member]);
        }
        case "join": {
            const host = known(wanted, step.host);
            const joined = withHost(seen, host.key, {
                maxLearners: wanted.maxLearners,
                isEnabled: true,
                initialCluster: step.initialCluster,
                initialClusterState: "existing",
                identity: identityOf(seen, wanted, step.memberId),
            });
            return started(joined, wanted, host);
        }
        case "start":
            return started(withHost(seen, step.host, { isEnabled: true }), wanted, known(wanted, step.host));
        case "update-peer":
            return withMembers(seen, (all) =>
                all.map((one) => (one.id === step.memberId ? { ...one, peerUrls: [step.to] } : one)),
            );
        case "promote": {
            const listed = withMembers(seen, (all) =>
                all.map((one) => (one.id === step.memberId ? { ...one, isLearner: false } : one)),
            );
            return answered(listed, wanted, [step.host]);
        }
        case "move-leader":
            return led(seen, step.toId);
        case "remove": {
            const gone = [...wanted.hosts, ...wanted.retired].find(
                (host) => memberOf({ seen, wanted }, host)?.id === step.memberId,
            );
            const listed = withMembers(seen, (all) => all.filter((one) => one.id !== step.memberId));
            return gone ? withHost(listed, gone.key, { status: undefined, servesPeers: false }) : listed;
        }
        case "retire":
            return withHost(seen, step.host, {
                unit: "absent",
                isEnabled: false,
                hasData: false,
                identity: undefined,
                initialCluster: undefined,
                initialClusterState: undefined,
                staged: undefined,
                current: undefined,
                running: undefined,
                serving: undefined,
                maxLearners: undefined,
                status: undefined,
                servesPeers: false,
                peersLetIn: [],
            });
        case "set-aside":
            return withHost(withoutReplaced(seen, wanted), step.host, {
                unit: seen.hosts[step.host]?.unit === "absent" ? "absent" : "inactive",
                isEnabled: false,
                hasData: false,
                isDamaged: false,
                identity: undefined,
                initialCluster: undefined,
                initialClusterState: undefined,
                running: undefined,
                serving: undefined,
                maxLearners: undefined,
                status: undefined,
                servesPeers: false,
            });
        case "record":
            return withHosts(seen, step.hosts, (key) => ({
                isEnabled: true,
                initialCluster: step.initialCluster,
                initialClusterState: "existing",
                identity: identityOf(seen, wanted, memberOf({ seen, wanted }, known(wanted, key))?.id),
            }));
        case "take-over": {
            const host = known(wanted, step.host);
            const taken = withHost(seen, host.key, {
                foreign: undefined,
                hasPlainPeers: seen.hosts[host.key]?.foreign?.isPlain || seen.hosts[host.key]?.hasPlainPeers || false,
                current: host.generation ?? LATER,
                maxLearners: wanted.maxLearners,
                isEnabled: true,
                initialCluster: step.initialCluster,
                initialClusterState: "existing",
                identity: identityOf(seen, wanted, memberOf({ seen, wanted }, host)?.id),
            });
            return started(taken, wanted, host);
        }
        case "secure-peers":
            return started(withHost(seen, step.host, { hasPlainPeers: false }), wanted, known(wanted, step.host));
        case "restart": {
            const restarted = withHost(seen, step.host, {
                current: step.generation,
                maxLearners: wanted.maxLearners,
            });
            return started(restarted, wanted, known(wanted, step.host));
        }
    }
}

/** The hosts answer. */
function answered(seen: Observation, wanted: Desired, keys: readonly string[]): Observation {
    return keys.reduce((world, key) => started(world, wanted, known(wanted, key)), seen);
}

/** A wait that ended well; undefined if what is there then can't be known before. */
function waited(seen: Observation, wanted: Desired, keys: readonly string[]): Observation | undefined {
    if (!seen.cluster) {
        const born = wanted.knownClusterId ? undefined : keys.find((key) => isBeingBorn(seen.hosts[key]!));
        if (born === undefined) return undefined;
        return stepped(seen, wanted, { kind: "bootstrap", host: born, because: "it answers" });
    }
    const after = answered(seen, wanted, keys);
    return JSON.stringify(after) === JSON.stringify(seen) ? undefined : after;
}

export const predict = { step: stepped, waited };
