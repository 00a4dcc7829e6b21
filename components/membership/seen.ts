/** The answer of a host's shell to `look` → what it says. Pure. */
import { parsePeers } from "../host/firewall";
import type { HostSeen, Identity, Serving } from "./types";

/** What a look shows; the rest of HostSeen is asked from etcd. */
export type Look = Omit<HostSeen, "status" | "servesPeers">;

export function parseLook(name: string, text: string): Look {
    const fields = new Map<string, string>();
    const files = {
        identity: [] as string[],
        membership: [] as string[],
        peers: [] as string[],
        serving: [] as string[],
    };
    for (const line of text.split("\n")) {
        const file = /^(identity|membership|peers|serving):(.*)$/.exec(line);
        if (file) {
            files[file[1] as keyof typeof files].push(file[2] ?? "");
            continue;
        }
        const cut = line.indexOf("=");
        if (cut > 0) fields.set(line.slice(0, cut), line.slice(cut + 1));
    }
    const membership = assignments(files.membership);
    const state = membership.get("ETCD_INITIAL_CLUSTER_STATE");
    return {
        name,
        reach: { ok: true },
        unit: unitState(fields),
        isEnabled: fields.get("enabled") === "yes",
        staged: fields.get("staged") || undefined,
        current: fields.get("current") || undefined,
        running: fields.get("running") || undefined,
        serving: serving(assignments(files.serving)),
        stagedPeerUrl: urls(fields.get("stagedPeerUrl"))[0],
        currentPeerUrl: urls(fields.get("currentPeerUrl"))[0],
        machine: fields.get("machine")?.trim() || undefined,
        version: fields.get("version") || undefined,
        maxLearners: Number(fields.get("maxLearners")) || undefined,
        hasLeft: hasLeft(fields),
        hasData: fields.get("hasData") === "yes",
        restored: fields.get("restored") || undefined,
        mayStartEmpty: fields.get("mayStartEmpty") === "yes",
        isDamaged: fields.get("damaged") === "yes",
        identity: identity(assignments(files.identity)),
        initialCluster: membership.get("ETCD_INITIAL_CLUSTER"),
        initialClusterState: state === "new" || state === "existing" ? state : undefined,
        peersLetIn: parsePeers(files.peers.join("\n")),
        ...(fields.get("plainPeers") === "yes" && { hasPlainPeers: true }),
    };
}

/** A host that can't be looked at. */
export function unreachable(name: string, reason: string): HostSeen {
    return {
        name,
        reach: { ok: false, reason },
        unit: "absent",
        isEnabled: false,
        staged: undefined,
        current: undefined,
        running: undefined,
        serving: undefined,
        machine: undefined,
        maxLearners: undefined,
        hasLeft: false,
        hasData: false,
        // Whatever is not known to be forbidden is forbidden before it matters.
        mayStartEmpty: true,
        identity: undefined,
        initialCluster: undefined,
        initialClusterState: undefined,
        peersLetIn: [],
        status: undefined,
        servesPeers: false,
    };
}

function assignments(lines: readonly string[]): ReadonlyMap<string, string> {
    return new Map(
        lines.flatMap((line) => {
            const cut = line.indexOf("=");
            return cut > 0 ? [[line.slice(0, cut), line.slice(cut + 1)] as const] : [];
        }),
    );
}

/** From a generation's environment file. */
function serving(fields: ReadonlyMap<string, string>): Serving | undefined {
    const name = fields.get("ETCD_NAME");
    const [peerUrl] = urls(fields.get("ETCD_LISTEN_PEER_URLS"));
    const clientUrl = urls(fields.get("ETCD_LISTEN_CLIENT_URLS")).join(",");
    return name && peerUrl && clientUrl ? { name, peerUrl, clientUrl } : undefined;
}

/** Somebody may have written a list there by hand, or what is no URL: it is put back. */
function urls(text = ""): readonly string[] {
    return text.split(",").filter((url) => URL.canParse(url));
}

function identity(fields: ReadonlyMap<string, string>): Identity | undefined {
    const clusterToken = fields.get("token");
    if (clusterToken === undefined) return undefined;
    return { clusterToken, clusterId: fields.get("cluster"), memberId: fields.get("member") };
}

/**
 * A member that is removed stops with exit code 0 (etcd server/etcdmain/etcd.go: osutil.Exit(0)); whoever stops it ends it by a signal. 1 is
 * CLD_EXITED.
 */
function hasLeft(fields: ReadonlyMap<string, string>): boolean {
    const isStopped = fields.get("ActiveState") === "inactive";
    return isStopped && fields.get("ExecMainCode") === "1" && fields.get("ExecMainStatus") === "0";
}

function unitState(fields: ReadonlyMap<string, string>): HostSeen["unit"] {
    if (fields.get("LoadState") === "not-found") return "absent";
    switch (fields.get("ActiveState")) {
        case "active":
        case "reloading":
            return "active";
        case "activating":
            return "activating";
        case "failed":
            return "failed";
        default:
            return "inactive";
    }
}
