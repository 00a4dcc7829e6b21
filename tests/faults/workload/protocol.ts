/** What a test and the workload's process say to each other. */
import type { EtcdCredentials } from "../../../components/remote/etcdAccess";
import type { Recording } from "./recording";

export interface Setting {
    readonly endpoints: readonly string[];
    /** None for a cluster without TLS. */
    readonly credentials?: EtcdCredentials | undefined;
    readonly prefix: string;
    readonly deadlineMs: number;
    /** How many times longer than they may clients rest between two operations. */
    readonly leisure: number;
    /** How long the end may take: the last read, and members that lag. */
    readonly settleSeconds: number;
}

export type Request =
    | { readonly kind: "start"; readonly setting: Setting }
    | { readonly kind: "phase"; readonly name: string; readonly minimumWrites: number }
    | { readonly kind: "use"; readonly endpoints: readonly string[] }
    | { readonly kind: "progress"; readonly writes: number; readonly seconds: number; readonly client?: string }
    | { readonly kind: "stop"; readonly replicas?: readonly string[] };

export interface Call {
    readonly id: number;
    readonly request: Request;
}

export interface Reply {
    readonly id: number;
    readonly error?: string;
    readonly recording?: Recording;
}
