/** What the workload's process has done and seen: the plain values that everything is judged by. All times are of one monotonic clock. */

/** A key that was written once. Without a revision nobody knows whether it took effect, or when. */
export interface Write {
    readonly client: string;
    readonly key: string;
    readonly calledMs: number;
    readonly endedMs: number;
    /** As the acknowledgement tells it. */
    readonly revision?: number;
    readonly error?: string;
}

/** A linearizable read of a key that was acknowledged before. */
export interface Read {
    readonly client: string;
    readonly key: string;
    readonly calledMs: number;
    readonly endedMs: number;
    /** The store's, when it was read. */
    readonly revision: number;
    /** Of the key; none when it was not there. */
    readonly keyRevision?: number;
}

/** An operation on the one register. Without an end its outcome is not known: it may take effect at any later time, or never. */
export type RegisterOperation = {
    readonly client: string;
    readonly calledMs: number;
    readonly endedMs?: number;
    /** The store's, when it was done. */
    readonly revision?: number;
} & RegisterAction;

/** An absent value is an empty register. */
export type RegisterAction =
    | { readonly kind: "read"; readonly value?: string }
    | { readonly kind: "write"; readonly value: string }
    | {
          readonly kind: "compare-and-swap";
          readonly expected?: string;
          readonly value: string;
          /** None when the outcome is not known. */
          readonly isSwapped?: boolean;
          /** What was there instead, if it was not swapped. */
          readonly found?: string;
      };

export interface WatchEvent {
    readonly revision: number;
    readonly type: "Put" | "Delete";
    readonly key: string;
    readonly value: string;
}

export interface Phase {
    readonly name: string;
    readonly beganMs: number;
    /** Fewer acknowledged writes than this make the phase meaningless. */
    readonly minimumWrites: number;
}

/** One member at the end. */
export interface Replica {
    readonly endpoint: string;
    readonly hash?: string;
    readonly compactRevision?: string;
    /** Its own view of the member list, as sorted lines of id, name, peer URLs and role. */
    readonly members?: readonly string[];
    readonly error?: string;
}

export interface Recording {
    readonly prefix: string;
    readonly registerKey: string;
    readonly phases: readonly Phase[];
    readonly endedMs: number;
    readonly writes: readonly Write[];
    readonly reads: readonly Read[];
    readonly failedReads: number;
    readonly register: readonly RegisterOperation[];
    /** The order in which they came. */
    readonly watched: readonly WatchEvent[];
    readonly watchConnections: number;
    /** Why the watch could not go on, if it could not. */
    readonly watchError?: string;
    /** All keys at the end, read linearizably at this revision. */
    readonly final: {
        readonly revision: number;
        readonly keys: readonly { readonly key: string; readonly value: string; readonly revision: number }[];
    };
    readonly replicas: readonly Replica[];
    /** Who was to write through one endpoint, and for how long. */
    readonly clients: readonly { readonly client: string; readonly seconds: number }[];
}
