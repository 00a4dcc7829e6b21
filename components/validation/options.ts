import type { CertificateArgs, EtcdClusterArgs, EtcdTuning, InstallSource } from "../args";
import { FIRST_AUTHORITY, MOST_AUTHORITIES } from "../host/settings";
import { isSame } from "../stateValues";
import { checkDistinct, checkKeys, checkOneOf, checkWhole, problem, type Problems } from "./problems";

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

/** 292 years: of more, Go's time.Duration, which @pulumi/tls counts in, makes a certificate that ended before it began. */
const MOST_HOURS = 2562047;

export function checkCertificates({ certificates = {}, adopt }: EtcdClusterArgs): Problems {
    const { validityHours = 8760, earlyRenewalHours = 720, caValidityHours = 87600 } = certificates;
    const at = "certificates";
    const numbers = [
        ...checkWhole(`${at}.validityHours`, certificates.validityHours, 1, MOST_HOURS),
        ...checkWhole(`${at}.caValidityHours`, certificates.caValidityHours, 1, MOST_HOURS),
        ...checkWhole(`${at}.earlyRenewalHours`, certificates.earlyRenewalHours, 0),
    ];
    return [
        ...checkKeys(at, certificates, [
            "authorities",
            "algorithm",
            "caValidityHours",
            "validityHours",
            "earlyRenewalHours",
        ]),
        ...checkAuthorities(`${at}.authorities`, certificates.authorities, adopt),
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

function checkAuthorities(
    property: string,
    numbers: CertificateArgs["authorities"],
    adopt: boolean | undefined,
): Problems {
    if (numbers === undefined) return [];
    if (!Array.isArray(numbers) || numbers.length < 1 || numbers.length > MOST_AUTHORITIES)
        return problem(property, numbers, `a list of 1 to ${MOST_AUTHORITIES} whole numbers, such as [1, 2]`);
    const list = numbers as readonly unknown[];
    return [
        ...list.flatMap((number, index) => checkWhole(`${property}[${index}]`, number ?? null, 1)),
        ...checkDistinct(list, String, (index) =>
            problem(`${property}[${index}]`, list[index], "a number that is not in the list yet"),
        ),
        ...(adopt && !isSame(list, FIRST_AUTHORITY)
            ? problem(property, numbers, "[1] while adopt is set", "rotate authorities when the cluster is taken over")
            : []),
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
    const wanted = "an https:// or http:// URL of a release archive, without a user name";
    // Whoever is named there has a password beside, as a rule.
    if (typeof url === "string" && /^[a-z+]*:\/\/[^/]*@/i.test(url))
        return [{ property, found: "one with a user name", wanted, remedy: "let the hosts reach it without a login" }];
    const isUrl = typeof url === "string" && /^https?:\/\/[^\s/@]+\/\S*$/.test(url) && URL.canParse(url);
    return isUrl ? [] : problem(property, url, wanted);
}
