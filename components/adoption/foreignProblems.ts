/** An etcd that was set up by hand → why ours can't take its place: a sentence each. Pure. */
import { BlockList, isIPv4 } from "node:net";

import type { EtcdTuning } from "../args";
import { TUNING, TUNING_FLAGS } from "../host/environment";
import type { ProvisionHost, ProvisionInputs, TakeoverInputs } from "../provision/inputs";
import { isPlain, TLS_FLAGS, type ForeignEtcd } from "./foreign";

/** How many old files a member keeps: members that differ in that behave the same. */
const HARMLESS: readonly (keyof EtcdTuning)[] = ["maxSnapshots", "maxWals"];

const NOTHING: TakeoverInputs = { tuning: {}, clientAddresses: [] };

export function foreignProblems(inputs: ProvisionInputs, host: ProvisionHost, foreign: ForeignEtcd): readonly string[] {
    if (!foreign.isRunning) return [];
    const { unit, options, dataDir, mounts } = foreign;
    if (unit === undefined)
        return ["the etcd on it is run by no systemd unit, which could be stopped for good: run it from a unit first"];
    if (options.has("config-file"))
        return [
            `${unit} configures etcd with --config-file, which can't be taken over: give it the same settings as flags or ETCD_ variables, one host at a time`,
        ];
    const problems = [
        ...nameProblems(host, foreign),
        ...tlsProblems(foreign),
        ...(options.get("wal-dir")
            ? [
                  `${unit} has a wal-dir, ${options.get("wal-dir")}, which can't be taken over: move it to member/wal in its data directory and drop the option, one host at a time`,
              ]
            : []),
        ...(dataDir !== inputs.dataDir && !foreign.isOnSameDisk
            ? [
                  `its data is in ${dataDir}, on another file system than ${inputs.dataDir}: declare dataDir: "${dataDir}"`,
              ]
            : []),
        // A rename takes them along until the next boot, which mounts them where they were.
        ...mounts.map(
            (place) =>
                `${place}, in its data directory, is a file system of its own, and a data directory is moved as a whole: put what it holds on that of ${dataDir}, one host at a time`,
        ),
        ...tuningProblems(inputs, foreign),
        ...lostProblems(foreign),
        ...clientProblems(inputs, foreign),
    ];
    return problems;
}

function nameProblems({ name }: ProvisionHost, { unit, options }: ForeignEtcd): readonly string[] {
    const found = options.get("name") ?? "default";
    return found === name ? [] : [`${unit} runs a member named "${found}", declared is "${name}": declare its name`];
}

function tlsProblems(foreign: ForeignEtcd): readonly string[] {
    const { unit, options } = foreign;
    if (isPlain(foreign)) return [];
    const missing = TLS_FLAGS.filter((flag) => !options.get(flag));
    if (missing.length === 0) return [];
    return [
        `${unit} has no ${missing.join(", ")}, and only a cluster with TLS and client certificates on both its client and its peer ports, or with none at all, is taken over: give it those, or take away the rest`,
    ];
}

function tuningProblems(
    { adopt: { tuning } = NOTHING }: ProvisionInputs,
    { unit, options }: ForeignEtcd,
): readonly string[] {
    return TUNING.flatMap((setting) => {
        const flag = TUNING_FLAGS[setting];
        const [found, declared] = [options.get(flag), tuning[setting]];
        if (HARMLESS.includes(setting) || found === undefined || found === String(declared)) return [];
        return [
            `${unit} runs with ${flag} ${found}, declared is ${declared === undefined ? "none" : String(declared)}: declare tuning.${setting}`,
        ];
    });
}

/**
 * What etcd's members may run with and ours never do, where it makes a difference to who uses or watches them (etcd server/etcdmain/help.go).
 * Others say who and where a member is, or how it starts and logs, or are variables that etcd does not know.
 */
const NOT_KEPT: readonly string[] = [
    ...["auth-token", "auth-token-ttl", "bcrypt-cost", "cors", "host-whitelist"],
    ...["client-crl-file", "client-cert-allowed-hostname", "client-cert-file", "client-key-file"],
    ...["peer-crl-file", "peer-cert-allowed-cn", "peer-cert-allowed-hostname", "peer-client-cert-file"],
    ...["peer-client-key-file", "peer-skip-client-san-verification"],
    ...["cipher-suites", "tls-min-version", "tls-max-version", "feature-gates"],
    ...["listen-client-http-urls", "listen-metrics-urls", "metrics", "enable-v2", "max-concurrent-streams"],
    ...["snapshot-catchup-entries", "warning-apply-duration"],
];
const NOT_KEPT_KINDS =
    /^(experimental(?!-initial-corrupt-check$|-compact-hash-check-enabled$)|grpc-keepalive|socket-reuse|backend|corrupt-check|compact-hash-check|compaction|distributed-tracing|watch-progress)-/;
/** As without it. */
const DEFAULTS: readonly string[] = ["", "false", "basic", "simple", "*"];
/** As ours has it. */
const OURS: Readonly<Record<string, readonly string[]>> = {
    "feature-gates": ["initialcorruptcheck=true", "compacthashcheck=true", "setmemberlocaladdr=true"],
    "tls-min-version": ["tls1.2"],
};

/** A setting that ours has no place for may be what keeps somebody out, or lets somebody in. Its value may be a secret. */
function lostProblems({ unit, options }: ForeignEtcd): readonly string[] {
    const lost = [...options].filter(
        ([flag, value]) => (NOT_KEPT.includes(flag) || NOT_KEPT_KINDS.test(flag)) && !isKept(flag, value.toLowerCase()),
    );
    return lost.map(
        ([flag]) =>
            `${unit} runs with ${flag}, which the unit that takes its place would not have: see whether the cluster does without, take it out there, one host at a time, and run pulumi up again`,
    );
}

function isKept(flag: string, value: string): boolean {
    const kept = [...DEFAULTS, ...(OURS[flag] ?? [])];
    return value.split(",").every((part) => kept.includes(part));
}

/** Our firewall would cut them off. */
function clientProblems(
    { firewall, adopt: { clientAddresses } = NOTHING, hosts }: ProvisionInputs,
    { clients }: ForeignEtcd,
): readonly string[] {
    if (!firewall) return [];
    const letIn = [...clientAddresses, ...hosts.map(({ address }) => address)];
    const unknown = clients.filter((client) => !letIn.some((network) => isWithin(client, network)));
    return [...new Set(unknown)].map(
        (client) =>
            `${client} is connected to its client port, and is no declared client: declare it, or set firewall: false`,
    );
}

function isWithin(address: string, network: string): boolean {
    const [base = "", prefix] = network.split("/");
    const family = (text: string): "ipv4" | "ipv6" => (isIPv4(text) ? "ipv4" : "ipv6");
    const list = new BlockList();
    list.addSubnet(base, prefix === undefined ? (isIPv4(base) ? 32 : 128) : Number(prefix), family(base));
    return list.check(address, family(address));
}
