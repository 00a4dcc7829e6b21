import type { EtcdCluster } from "../components";

/** What every environment shows. */
export function outputsOf(cluster: EtcdCluster): Record<string, unknown> {
    return {
        endpoints: cluster.endpoints,
        members: cluster.members,
        clusterId: cluster.clusterId,
        initialClusterState: cluster.initialClusterState,
        ca: cluster.ca,
        operator: cluster.operator,
        clients: cluster.clientCertificates,
        etcdctl: cluster.etcdctl,
    };
}
