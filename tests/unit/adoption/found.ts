/** A cluster of three that was set up by hand without TLS, as it is seen before it is taken over. */
import type { Desired, HostSeen, Observation, Step, WantedHost } from "../../../components/membership/types";

const names = ["a", "b", "c"];
export const wantedHosts = names.map((name, index): WantedHost => {
    const address = `10.0.0.${index + 1}`;
    return {
        key: name,
        name,
        address,
        peerUrl: `https://${address}:2380`,
        clientUrl: `https://${address}:2379`,
        peerPort: 2380,
        clientPort: 2379,
        ssh: { user: "root", address } as WantedHost["ssh"],
        generation: `generation-${name}`,
    };
});
export const wanted: Desired = {
    cluster: "tools",
    clusterToken: "tools.prod",
    dataDir: "/var/lib/etcd/tools",
    releaseDir: "/opt/etcd/x",
    version: "3.6.16",
    hosts: wantedHosts,
    retired: [],
    knownClusterId: undefined,
    maxLearners: 2,
    allowEvenSize: false,
    firewall: false,
    timeouts: { healthSeconds: 30, syncSeconds: 300, changeSeconds: 30, lockSeconds: 0, commandSeconds: 60 },
};

function plainHost({ name }: WantedHost): HostSeen {
    return {
        name,
        reach: { ok: true },
        unit: "active",
        isEnabled: false,
        staged: `generation-${name}`,
        current: undefined,
        running: undefined,
        serving: undefined,
        machine: name,
        maxLearners: undefined,
        mayStartEmpty: false,
        hasLeft: false,
        hasData: true,
        identity: undefined,
        initialCluster: undefined,
        initialClusterState: undefined,
        peersLetIn: [],
        status: {
            memberId: `id-${name}`,
            clusterId: "cluster",
            leaderId: "id-b",
            raftIndex: 100,
            isLearner: false,
            version: "3.6.16",
            dbSizeBytes: 0,
            isHealthy: true,
        },
        foreign: { unit: "etcd.service", dataDir: "/srv/etcd", isRunning: true, leaves: {}, isPlain: true },
        servesPeers: true,
    };
}

/** Three members that were set up by hand without TLS; "b" leads. */
export const found: Observation = {
    hosts: Object.fromEntries(wantedHosts.map((host) => [host.key, plainHost(host)])),
    cluster: {
        clusterId: "cluster",
        leaderId: "id-b",
        members: wantedHosts.map(({ name, address }) => ({
            id: `id-${name}`,
            name,
            peerUrls: [`http://${address}:2380`],
            clientUrls: [`http://${address}:2379`],
            isLearner: false,
        })),
        alarms: [],
    },
};

export const told = (step: Step): string =>
    `${step.kind} ${"host" in step ? step.host : "to" in step ? step.to : ""}`.trim();

export function changed(seen: Observation, name: string, change: Partial<HostSeen>): Observation {
    return { ...seen, hosts: { ...seen.hosts, [name]: { ...seen.hosts[name]!, ...change } } };
}
