/** A user's program: builds the clusters that `clusters.json` beside it declares. */
import { readFileSync } from "node:fs";

import { EtcdCluster, type EtcdClusterArgs } from "pulumi-etcd";

const declared = JSON.parse(readFileSync("clusters.json", "utf8")) as Record<string, EtcdClusterArgs>;

export = Object.fromEntries(
    Object.entries(declared).map(([name, args]) => {
        const cluster = new EtcdCluster(name, args);
        const { endpoints, members, clusterId, initialClusterState, ca, operator, clientCertificates, etcdctl } =
            cluster;
        return [
            name,
            { endpoints, members, clusterId, initialClusterState, ca, operator, clientCertificates, etcdctl },
        ];
    }),
);
