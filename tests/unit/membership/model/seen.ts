/** What is seen of hosts, made otherwise. */
import type { HostSeen, Observation } from "../../../../components/membership/types";

/** A host whose etcd does not start, since its log is not what it wrote. */
export function damaged(name: string): (seen: Observation) => Observation {
    return ({ hosts, cluster }) => {
        const host = {
            ...hosts[name]!,
            unit: "activating",
            isDamaged: true,
            status: undefined,
            servesPeers: false,
        } as const;
        const others = Object.keys(hosts).length > 1;
        return { hosts: { ...hosts, [name]: host }, cluster: others ? cluster : undefined };
    };
}

/** Of a member that neither its clients nor its peers hear. */
export const silent = { status: undefined, servesPeers: false } as const;

/** What is seen of one host is otherwise. */
export function but(name: string, change: (host: HostSeen) => Partial<HostSeen>): (seen: Observation) => Observation {
    return ({ hosts, cluster }) => ({
        hosts: { ...hosts, [name]: { ...hosts[name]!, ...change(hosts[name]!) } },
        cluster,
    });
}
