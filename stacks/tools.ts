import { EtcdCluster } from "../components";
import { outputsOf } from "./outputs";
import { settings } from "./settings";

/** Production: the etcd of the Kubernetes cluster that runs the platform's tools. */
export function tools(): Record<string, unknown> {
    const cluster = new EtcdCluster("tools-k8s-etcd", {
        ...settings(),
        clients: [{ name: "kube-apiserver", addresses: ["10.77.1.50"] }],
        tuning: { quotaBackendBytes: 8 * 1024 ** 3, autoCompactionMode: "periodic", autoCompactionRetention: "1h" },
    });
    return outputsOf(cluster);
}
