import { EtcdCluster } from "../components";
import { outputsOf } from "./outputs";
import { settings } from "./settings";

/** Trial: what tools gets next is tried here first. */
export function toolsbeta(): Record<string, unknown> {
    const cluster = new EtcdCluster("toolsbeta-k8s-etcd", {
        ...settings(),
        clients: [{ name: "kube-apiserver", addresses: ["10.77.2.50"] }],
        tuning: { quotaBackendBytes: 8 * 1024 ** 3, autoCompactionMode: "periodic", autoCompactionRetention: "1h" },
    });
    return outputsOf(cluster);
}
