import { EtcdError, isRemoteError, type EtcdErrorCode } from "./errors";

/** etcd's texts, from api/v3/v3rpc/rpctypes/error.go (v3.4 to v3.7), and gRPC's own. The first that fits counts. */
const CODES: readonly (readonly [RegExp, EtcdErrorCode])[] = [
    [/etcdserver: unhealthy cluster/, "unhealthy-cluster"],
    [/not enough started members/, "not-enough-started"],
    // An id is made of the peer URLs and the second: the same URL within a second is told as the same id.
    [/Peer URLs already exists|member ID already exist/, "peer-url-exists"],
    [/too many learner members/, "too-many-learners"],
    [/promote a learner member which is in sync/, "not-in-sync"],
    [/can only promote a learner member/, "not-learner"],
    [/rpc not supported for learner/, "learner-refuses"],
    [/etcdserver: member not found/, "member-not-found"],
    [/bad leader transferee/, "bad-transferee"],
    [/etcdserver: not leader/, "not-leader"],
    [/etcdserver: (no leader|leader changed)/, "no-leader"],
    [/database space exceeded/, "no-space"],
    [/corrupt cluster/, "corrupt"],
    [/request timed out|context deadline exceeded|DEADLINE_EXCEEDED|deadline exceeded/i, "timeout"],
    [/permission denied|invalid auth token|user name is empty|authentication failed|UNAUTHENTICATED/i, "permission"],
    [/authentication is not enabled/, "no-users"],
    [/UNAVAILABLE|CANCELLED|etcdserver: server stopped/, "unavailable"],
];

/** What an operator can do about it, where the text does not say it by itself. */
const REMEDIES: Partial<Record<EtcdErrorCode, string>> = {
    "unhealthy-cluster": "a voter changed less than 5 s ago or does not answer; wait, or repair it",
    "not-enough-started": "start the members that are down first",
    "peer-url-exists": "a member with that peer URL is in the list already",
    "too-many-learners": "promote or remove the learner that is there",
    "no-leader": "wait for the election, or start the members that are down",
    "no-space": "raise the quota or compact and defragment, then disarm the alarm",
    corrupt: "replace the member that differs",
    timeout: "it may have been done or not; check the member's load, disk and peers",
    unavailable: "check that etcd runs there and that the certificates fit",
    permission: "use a client certificate or user that may do this",
};

/**
 * Maps what a client of etcd throws, once and for all.
 * @param behind why the way to etcd was not open, if it was not
 */
export function toEtcdError(host: string, what: string, error: unknown, behind?: Error): EtcdError {
    const text = error instanceof Error ? error.message : String(error);
    const code = CODES.find(([pattern]) => pattern.test(text))?.[1] ?? "other";
    const own = /etcdserver: .*/.exec(text)?.[0];
    const remedy = REMEDIES[code] === undefined ? "" : `; ${REMEDIES[code]}`;
    const inTheWay = isRemoteError(behind) ? behind.reason : behind?.message;
    const found = own === undefined ? (inTheWay ?? plain(text)) : `etcd answers "${own}"`;
    const kind = isRemoteError(behind) ? behind.kind : undefined;
    return new EtcdError(code, host, own ?? text, `${what}: ${found}${remedy}`, kind, { cause: error });
}

/** gRPC's account of a failed call, without its numbers and repetitions. */
function plain(text: string): string {
    if (/deadline exceeded/i.test(text)) return "no answer in time";
    const line = text.replace(/^\d+ /, "").split("\n")[0] ?? "";
    const last = /Last error: (?:Error(?: \[\w+\])?: )?(.*?)(?:\. Resolution note.*)?$/.exec(line)?.[1];
    if (last === undefined) return line;
    if (/\bE[A-Z]{4,}\b/.test(last)) return `no connection (${last})`;
    return `TLS could not be set up (${/SSL routines:\w*:([^:]+):/.exec(last)?.[1] ?? last})`;
}
