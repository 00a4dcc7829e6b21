import { hostPaths } from "../../../components/host/paths";
import type { HostCertificates, HostSettings } from "../../../components/host/settings";

/** An ordinary member's settings. */
export function settingsOf(changes: Partial<HostSettings> = {}): HostSettings {
    const cluster = changes.cluster ?? "tools";
    return {
        cluster,
        clusterToken: "tools.test",
        version: "3.6.16",
        name: "a",
        address: "10.0.0.11",
        clientPort: 2379,
        peerPort: 2380,
        paths: hostPaths(cluster),
        releaseDir: "/opt/etcd/3.6.16-0123456789ab",
        logLevel: "info",
        tuning: {},
        maxLearners: 2,
        firewall: true,
        clientAddresses: [],
        ...changes,
    };
}

/** Texts in the place of certificates, where nobody reads them. */
export const certificates: HostCertificates = {
    clientCa: "client authority\n",
    peerCa: "peer authority\n",
    serverCert: "server certificate\n",
    serverKey: "server key\n",
    peerCert: "peer certificate\n",
    peerKey: "peer key\n",
};
