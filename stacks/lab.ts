import { EtcdCluster } from "../components";
import { outputsOf } from "./outputs";
import { settings } from "./settings";

/** For playing with: hosts that are made and thrown away on this machine. */
export function lab(): Record<string, unknown> {
    return outputsOf(new EtcdCluster("lab-etcd", settings()));
}
