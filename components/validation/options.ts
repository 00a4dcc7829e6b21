import type { CertificateArgs, EtcdClusterArgs, EtcdTuning, InstallSource } from "../args";
import { checkKeys, checkOneOf, checkWhole, problem, type Problems } from "./problems";

const TUNING: readonly (keyof EtcdTuning)[] = [
    "heartbeatInterval",
    "electionTimeout",
    "snapshotCount",
    "quotaBackendBytes",
    "maxRequestBytes",
    "maxTxnOps",
    "maxSnapshots",
    "maxWals",
    "autoCompactionMode",
    "autoCompactionRetention",
];

/** etcd v3.6 server/embed/config.go, Validate: the same bounds, before any host restarts with them. */
export function checkTuning(tuning: EtcdTuning = {}): Problems {
    return [
        ...checkKeys("tuning", tuning, TUNING),
        ...checkWhole("tuning.heartbeatInterval", tuning.heartbeatInterval, 1, 10000),
        ...checkWhole("tuning.electionTimeout", tuning.electionTimeout, 5, 50000),
        ...checkElection(tuning),
        ...checkWhole("tuning.snapshotCount", tuning.snapshotCount, 1),
        ...checkWhole("tuning.quotaBackendBytes", tuning.quotaBackendBytes, 1),
        ...checkWhole("tuning.maxRequestBytes", tuning.maxRequestBytes, 1, 2 ** 31 - 1),
        ...checkWhole("tuning.maxTxnOps", tuning.maxTxnOps, 1, 2 ** 31 - 1),
        ...checkWhole("tuning.maxSnapshots", tuning.maxSnapshots, 0, 2 ** 31 - 1),
        ...checkWhole("tuning.maxWals", tuning.maxWals, 0, 2 ** 31 - 1),
        ...checkOneOf("tuning.autoCompactionMode", tuning.autoCompactionMode, ["periodic", "revision"]),
        ...checkRetention(tuning),
    ];
}

function checkElection({ heartbeatInterval = 100, electionTimeout = 1000 }: EtcdTuning): Problems {
    if (!(electionTimeout < 5 * heartbeatInterval)) return [];
    const least = 5 * heartbeatInterval;
    return problem(
        "tuning.electionTimeout",
        electionTimeout,
        `at least five times heartbeatInterval (${heartbeatInterval}), ${least}`,
    );
}

function checkRetention({
    autoCompactionMode: mode = "periodic",
    autoCompactionRetention: retention,
}: EtcdTuning): Problems {
    if (retention === undefined) return [];
    const property = "tuning.autoCompactionRetention";
    if (mode === "revision")
        return /^\d{1,18}$/.test(retention)
            ? []
            : problem(property, retention, 'a number of revisions, such as "1000"');
    const isDuration = /^(\d{1,6}|(\d{1,6}(\.\d{1,6})?(ms|s|m|h))+)$/.test(retention);
    return isDuration ? [] : problem(property, retention, 'hours, or a duration such as "10m"');
}

export function checkTimeouts({ timeouts = {} }: EtcdClusterArgs): Problems {
    const known = ["healthSeconds", "syncSeconds", "changeSeconds", "lockSeconds", "commandSeconds"] as const;
    return [
        ...checkKeys("timeouts", timeouts, known),
        ...known.flatMap((key) => checkWhole(`timeouts.${key}`, timeouts[key], key === "lockSeconds" ? 0 : 1, 86400)),
    ];
}

export function checkCertificates(certificates: CertificateArgs = {}): Problems {
    const { validityHours = 8760, earlyRenewalHours = 720, caValidityHours = 87600 } = certificates;
    const at = "certificates";
    const numbers = [
        ...checkWhole(`${at}.validityHours`, certificates.validityHours, 1),
        ...checkWhole(`${at}.caValidityHours`, certificates.caValidityHours, 1),
        ...checkWhole(`${at}.earlyRenewalHours`, certificates.earlyRenewalHours, 0),
    ];
    return [
        ...checkKeys(at, certificates, ["algorithm", "caValidityHours", "validityHours", "earlyRenewalHours"]),
        ...checkOneOf(`${at}.algorithm`, certificates.algorithm, [
            "ECDSA-P256",
            "ECDSA-P384",
            "RSA-2048",
            "RSA-4096",
            "ED25519",
        ]),
        ...numbers,
        ...(numbers.length === 0 && earlyRenewalHours >= validityHours
            ? problem(
                  `${at}.earlyRenewalHours`,
                  earlyRenewalHours,
                  `less than validityHours (${validityHours})`,
                  "else every run would renew",
              )
            : []),
        ...(numbers.length === 0 && caValidityHours < validityHours
            ? problem(`${at}.caValidityHours`, caValidityHours, `at least validityHours (${validityHours})`)
            : []),
    ];
}

export function checkRestore({ restore, adopt }: EtcdClusterArgs): Problems {
    if (restore === undefined) return [];
    const at = "restore";
    if (typeof restore !== "object" || restore === null)
        return problem(at, restore, 'what to begin anew from: { snapshot: "/…", replaces: "…" }');
    const { snapshot, replaces } = restore;
    const isPath = typeof snapshot === "string" && /^(\/[A-Za-z0-9._@:+=,-]+)+$/.test(snapshot);
    const isId = replaces === undefined || (typeof replaces === "string" && /^[1-9a-f][0-9a-f]{0,15}$/.test(replaces));
    return [
        ...checkKeys(at, restore, ["snapshot", "replaces"]),
        ...(isPath
            ? []
            : problem(
                  `${at}.snapshot`,
                  snapshot,
                  "the absolute path of a snapshot on the first host, of letters, digits and ._@:+=,-",
              )),
        ...(isId
            ? []
            : problem(
                  `${at}.replaces`,
                  replaces,
                  "the id of a cluster as clusterId has it: hexadecimal, in small letters",
              )),
        ...(adopt ? problem(at, restore, "nothing, or no adopt", "take the cluster over first, or begin anew") : []),
    ];
}

export function checkInstall(install: InstallSource | undefined): Problems {
    const at = "install";
    if (typeof install !== "object" || install === null)
        return problem(at, install, 'where etcd comes from: { source: "debian" }, …');
    const source = problem(`${at}.source`, install.source, 'one of "debian", "file", "url"');
    switch (install.source) {
        case "debian":
            return [];
        case "file":
            return [...checkPath(`${at}.path`, install.path), ...checkSha256(`${at}.sha256`, install.sha256)];
        case "url":
            return [...checkUrl(`${at}.url`, install.url), ...checkSha256(`${at}.sha256`, install.sha256)];
        default:
            return source;
    }
}

function checkPath(property: string, path: unknown): Problems {
    return typeof path === "string" && path !== "" ? [] : problem(property, path, "the path of a release archive");
}

function checkSha256(property: string, sha256: unknown): Problems {
    if (typeof sha256 === "string" && /^[0-9a-f]{64}$/i.test(sha256)) return [];
    return problem(property, sha256, "64 hexadecimal digits", "SHA256SUMS beside the release has them");
}

function checkUrl(property: string, url: unknown): Problems {
    const isUrl = typeof url === "string" && /^https?:\/\/[^\s/@]+\/\S*$/.test(url) && URL.canParse(url);
    return isUrl ? [] : problem(property, url, "an https:// or http:// URL of a release archive, without a user name");
}
