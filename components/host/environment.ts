import type { EtcdTuning } from "../args";
import {
    FIRST_AUTHORITY,
    HEADER,
    ascending,
    httpsUrl,
    peerCommonName,
    withoutTls,
    type HostSettings,
} from "./settings";
import { isAtLeast } from "./version";

/** etcd's variables by the flag they stand for, in the order of the file. */
type Variables = readonly (readonly [flag: string, value: string | number | boolean | undefined])[];

/** What systemd takes from an EnvironmentFile as it stands: no quotes, no blanks, no backslashes, no line ends. */
const PLAIN_VALUE = /^[A-Za-z0-9._:/,=@+[\]-]+$/;

/** In the `etcd.env` of a generation that trusts the authorities of old besides our own. */
export const TAKING_OVER = "# taking over";

/** Before the numbers of the authorities that a generation trusts, in its `etcd.env`. Without it, it trusts the first one alone. */
export const AUTHORITIES = "# authorities ";

/**
 * The text of `etcd.env`: what etcd is told, apart from the initial cluster and its state, which membership writes to a file of
 * their own. A flag goes in only if this version of etcd knows it.
 * @throws RangeError for a value that an EnvironmentFile can't carry as it stands
 */
export function renderEnvironment(settings: HostSettings): string {
    const lines = variables(settings).flatMap(([flag, value]) => (value === undefined ? [] : [variable(flag, value)]));
    // The version is here so that another one makes another generation, even where its binaries have the same path.
    const phase = settings.isTakingOver ? [TAKING_OVER] : [];
    return [HEADER, `# etcd ${settings.version}`, ...phase, ...authorities(settings), ...lines, ""].join("\n");
}

function authorities({ authorities: numbers = FIRST_AUTHORITY }: HostSettings): readonly string[] {
    const list = ascending(numbers).join(",");
    return list === FIRST_AUTHORITY.join(",") ? [] : [`${AUTHORITIES}${list}`];
}

function variable(flag: string, value: string | number | boolean): string {
    const text = String(value);
    if (PLAIN_VALUE.test(text)) return `ETCD_${flag.toUpperCase().replaceAll("-", "_")}=${text}`;
    throw new RangeError(
        `etcd's option ${flag} can't be ${JSON.stringify(text)}: wanted are letters, digits and ._:/,=@+[]-`,
    );
}

function variables(settings: HostSettings): Variables {
    const { address, peerPort, clientPort, version, paths, isPlain = false } = settings;
    const peerUrl = httpsUrl(address, peerPort);
    const clientUrl = httpsUrl(address, clientPort);
    return [
        ["name", settings.name],
        ["data-dir", paths.dataDir],
        ["listen-peer-urls", peerUrl],
        ["initial-advertise-peer-urls", peerUrl],
        ["listen-client-urls", isPlain ? plainClientUrls(version, clientUrl).join(",") : clientUrl],
        ["advertise-client-urls", isPlain ? withoutTls(clientUrl) : clientUrl],
        ["initial-cluster-token", settings.clusterToken],
        ["cert-file", `${paths.pki}/server.crt`],
        ["key-file", `${paths.pki}/server.key`],
        ["client-cert-auth", true],
        ["trusted-ca-file", `${paths.current}/client-ca.crt`],
        ["peer-cert-file", `${paths.pki}/peer.crt`],
        ["peer-key-file", `${paths.pki}/peer.key`],
        ["peer-client-cert-auth", true],
        ["peer-trusted-ca-file", `${paths.current}/peer-ca.crt`],
        // The certificates that somebody else made have names of their own.
        ["peer-cert-allowed-cn", settings.isTakingOver ? undefined : peerCommonName(settings.cluster)],
        // The floor is TLS 1.2 in every version; 3.5.8 and later can be told so.
        ["tls-min-version", isAtLeast(version, "3.5.8") ? "TLS1.2" : undefined],
        // 3.4 has an older logger as its default, which knows no levels.
        ["logger", isAtLeast(version, "3.5.0") ? undefined : "zap"],
        ["log-level", settings.logLevel],
        ["max-learners", isAtLeast(version, "3.6.0") ? settings.maxLearners : undefined],
        ...features(version, address),
        ...tuning(settings.tuning),
    ];
}

/**
 * One port can serve both. In 3.4, gRPC without TLS is not answered then: the server with TLS takes its connections (etcd v3.4
 * embed/serve.go); 3.5.16 is the first that was found to do it.
 */
export function plainClientUrls(version: string, clientUrl: string): readonly string[] {
    const plain = withoutTls(clientUrl);
    return isAtLeast(version, "3.5.16") ? [plain, clientUrl] : [plain];
}

/** 3.6 turned the flags into feature gates and warns about the old ones; 3.7 does not start with them. */
function features(version: string, address: string): Variables {
    if (isAtLeast(version, "3.6.0")) {
        const gates = ["InitialCorruptCheck=true", "CompactHashCheck=true"];
        // Peers know a member by its declared address, from which a host that has several might not speak to them by itself. With an
        // IPv6 address, etcd up to 3.7 does not start with it (client/pkg/transport/transport.go: LocalAddr).
        if (!address.includes(":")) gates.push("SetMemberLocalAddr=true");
        return [["feature-gates", gates.join(",")]];
    }
    return [
        ["experimental-initial-corrupt-check", true],
        ["experimental-compact-hash-check-enabled", isAtLeast(version, "3.5.5") ? true : undefined],
    ];
}

/** What tuning is called by etcd. */
export const TUNING_FLAGS: Readonly<Record<keyof EtcdTuning, string>> = {
    heartbeatInterval: "heartbeat-interval",
    electionTimeout: "election-timeout",
    snapshotCount: "snapshot-count",
    quotaBackendBytes: "quota-backend-bytes",
    maxRequestBytes: "max-request-bytes",
    maxTxnOps: "max-txn-ops",
    maxSnapshots: "max-snapshots",
    maxWals: "max-wals",
    autoCompactionMode: "auto-compaction-mode",
    autoCompactionRetention: "auto-compaction-retention",
};

/** Its settings, in the order of the table above. */
export const TUNING = Object.keys(TUNING_FLAGS) as readonly (keyof EtcdTuning)[];

function tuning(tuning: EtcdTuning): Variables {
    return TUNING.map((setting) => [TUNING_FLAGS[setting], tuning[setting]]);
}
