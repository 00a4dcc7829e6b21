import type { ProvisionHost, ProvisionInputs } from "../../../components/provision/inputs";

/** An ordinary host, as provisioning is given it. */
export const host: ProvisionHost = {
    name: "a",
    address: "10.0.0.11",
    peerPort: 2380,
    clientPort: 2379,
    ssh: { user: "root", address: "10.0.0.11" },
};

/** An ordinary cluster on that host. */
export const inputs: ProvisionInputs = {
    schemaVersion: 1,
    cluster: "tools",
    clusterToken: "tools.prod",
    version: "3.6.16",
    install: { source: "debian" },
    dataDir: "/var/lib/etcd/tools",
    firewall: true,
    deleteDataOnDestroy: false,
    hosts: [host],
};
