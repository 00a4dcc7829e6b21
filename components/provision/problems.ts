/** Facts about a host → why it can't hold what it is to hold: a sentence each, none if it can. Pure. */
import { foreignProblems } from "../adoption/foreignProblems";
import { hostOfUrl } from "../address";
import { otherMachine, otherVersion } from "../host/release";
import { TOOLS, type Facts, type Listener, type Place } from "./facts";
import type { ProvisionHost, ProvisionInputs } from "./inputs";

/** Certificates are valid from the moment they are made: a host that is behind refuses them for so long, and is waited for not much longer. */
const CLOCK_SECONDS = 20;

/** A database that begins, its log, and a snapshot. */
const FREE_MIB = 512;
/** What runs already needs room for a few files only; etcd itself tells when its database has none. */
const FREE_FOR_FILES_MIB = 32;
/** The archive and what is in it, side by side. */
const FREE_FOR_BINARIES_MIB = 256;

/** When facts were asked for, and when they were there, in ms since 1970 by this machine's clock. */
interface When {
    readonly askedMs: number;
    readonly seenMs: number;
}

export function problemsOf(inputs: ProvisionInputs, host: ProvisionHost, facts: Facts, when: When): readonly string[] {
    if (facts.kernel !== "Linux")
        return [`it runs ${facts.kernel || "an unknown system"}, wanted is Linux with systemd: take another host`];
    if (!facts.runsSystemd)
        return ["systemd does not run on it, wanted is a host that systemd has booted: take another host"];
    return [
        ...toolProblems(inputs, facts),
        ...archiveProblems(inputs, facts),
        ...packageProblems(inputs, facts),
        ...clockProblems(facts, when),
        ...(facts.refusesSchedule
            ? [
                  `systemd of this host does not understand the backup.schedule "${inputs.backupSchedule}": correct it; systemd-analyze calendar shows what it makes of one`,
              ]
            : []),
        ...spaceProblems(inputs, facts),
        ...addressProblems(host, facts),
        ...portProblems(host, facts),
        ...(facts.foreign ? foreignProblems(inputs, host, facts.foreign) : []),
        ...facts.overlaps.map(({ cluster, directory }) =>
            directory === inputs.dataDir
                ? `${directory} is where the cluster "${cluster}" has its data: choose another dataDir`
                : `${inputs.dataDir} and ${directory}, where the cluster "${cluster}" has its data, lie within one another, and would be moved together: choose another dataDir`,
        ),
        ...ownershipProblems(inputs, facts),
    ];
}

/** Two members on one machine fall together, whatever addresses it has. */
export function twinProblems(
    hosts: readonly { readonly host: ProvisionHost; readonly facts: Facts | undefined }[],
): readonly string[] {
    const has = (facts: Facts | undefined, address: string): boolean => facts?.addresses.includes(address) ?? false;
    return hosts.flatMap((one, index) =>
        hosts
            .slice(index + 1)
            .filter((other) => has(one.facts, other.host.address) && has(other.facts, one.host.address))
            .map(
                (other) =>
                    `hosts "${one.host.name}" (${one.host.address}) and "${other.host.name}" (${other.host.address}) are one machine, which has both addresses, and two members on one machine would fall together: take one of them off the list`,
            ),
    );
}

/**
 * A member's certificate is for the address that is declared, from before it serves there. Its connections of before go on meanwhile;
 * two members between two addresses could not make a new one to each other.
 */
export function moveProblems(
    hosts: readonly { readonly host: ProvisionHost; readonly facts: Facts | undefined }[],
): readonly string[] {
    const moves = hosts.flatMap(({ host, facts }) => {
        // What somebody wrote there by hand may be no URL, or several.
        const from =
            facts?.hasOurData && facts.peerUrl && URL.canParse(facts.peerUrl) ? hostOfUrl(facts.peerUrl) : undefined;
        return from === undefined || from === host.address ? [] : [`"${host.name}" (${from} to ${host.address})`];
    });
    if (moves.length < 2) return [];
    return [
        `${moves.length} members change their addresses at once: ${moves.join(", ")}, at most 1 is wanted, since members check each other's addresses: change one, run pulumi up, then the next`,
    ];
}

function toolProblems({ install, firewall }: ProvisionInputs, { tools, isInstalled }: Facts): readonly string[] {
    const always = ["ss", "flock", "cmp", "getent", "useradd"];
    const unpacking = isInstalled || install.source === "debian" ? [] : ["tar", "gzip"];
    const missing = [...always, ...unpacking].filter((tool) => !tools.has(tool));
    const isFetching = install.source === "url" && !isInstalled;
    return [
        ...missing.map((tool) => `the program ${tool} is missing: install ${TOOLS[tool]}`),
        ...(firewall && !tools.has("nft")
            ? ["/usr/sbin/nft is missing: install nftables, or set firewall: false"]
            : []),
        ...(isFetching && !tools.has("curl") && !tools.has("wget")
            ? ['curl and wget are missing: install one of them, or use install source "file"']
            : []),
        ...(install.source === "debian" && !isInstalled && !tools.has("apt-get")
            ? ['it has no apt-get: use install source "url" or "file"']
            : []),
    ];
}

/** What can be known about an archive that the host is to fetch. */
function archiveProblems({ install, version }: ProvisionInputs, facts: Facts): readonly string[] {
    const { isInstalled, tools, unfetched, release, machine } = facts;
    const isFetched = install.source === "url" && !isInstalled && (tools.has("curl") || tools.has("wget"));
    if (!isFetched) return [];
    if (unfetched !== undefined)
        return [
            `${withoutQuery(install.url)} can't be fetched from it: ${unfetched}: correct install.url, or let the host reach it`,
        ];
    const found = otherVersion(release, version) ?? otherMachine(release, machine);
    return found === undefined ? [] : [`${withoutQuery(install.url)} ${found}`];
}

/** What is asked for there may be signed, and then lets in whoever reads it. */
function withoutQuery(url: string): string {
    return url.replace(/[?#].*$/s, "?…");
}

/** Where nothing is offered, the lists may never have been fetched; the installation does that. */
function packageProblems({ install, version }: ProvisionInputs, { isInstalled, offered }: Facts): readonly string[] {
    if (install.source !== "debian" || isInstalled || offered === undefined || offered === version) return [];
    return [
        `its packages offer etcd ${offered}, wanted is ${version}: declare the offered version, use install source "url" or "file", or run apt-get update on it if its lists are old`,
    ];
}

/** It told the time at some moment between. */
function clockProblems({ clockSeconds }: Facts, { askedMs, seenMs }: When): readonly string[] {
    const nearest = Math.min(Math.max(clockSeconds, askedMs / 1000), seenMs / 1000);
    const offset = Math.round(clockSeconds - nearest);
    if (Math.abs(offset) <= CLOCK_SECONDS) return [];
    const found = `${Math.abs(offset)} s ${offset < 0 ? "behind" : "ahead of"}`;
    return [
        `its clock is ${found} this machine's, at most ${CLOCK_SECONDS} s are allowed, since certificates would not be valid yet or no more: set it, and keep it with NTP`,
    ];
}

function spaceProblems({ install }: ProvisionInputs, { freeMiB, hasOurData, isInstalled }: Facts): readonly string[] {
    const wanted: readonly (readonly [Place, number, string])[] = [
        ["data", hasOurData ? FREE_FOR_FILES_MIB : FREE_MIB, "make room, or choose another dataDir"],
        ...(isInstalled || install.source === "debian"
            ? []
            : [["releases", FREE_FOR_BINARIES_MIB, "make room"] as const]),
    ];
    return wanted.flatMap(([place, least, remedy]) => {
        const free = freeMiB[place];
        if (!free || free.mebibytes >= least) return [];
        return [`${free.directory} has ${free.mebibytes} MiB free, ${least} MiB are wanted: ${remedy}`];
    });
}

function addressProblems({ address }: ProvisionHost, { addresses }: Facts): readonly string[] {
    if (addresses.length === 0 || addresses.includes(address)) return [];
    return [
        `${address} is not an address of it (it has ${addresses.filter(isPublic).join(", ")}), and etcd listens on the declared address: correct the address, or the host`,
    ];
}

function isPublic(address: string): boolean {
    return !address.startsWith("127.") && address !== "::1" && !address.startsWith("fe80:");
}

function portProblems({ address }: ProvisionHost, { listeners, claims, foreign }: Facts): readonly string[] {
    const isTaken = (listener: Listener): boolean =>
        concerns(listener, address) && !(foreign && listener.process.startsWith("etcd "));
    const taken = listeners.filter(isTaken);
    const takenPorts = new Set(taken.map(({ port }) => port));
    return [
        ...taken.map(
            ({ port, at, process }) =>
                `port ${port} is taken by ${process}, which listens on ${at}: stop it, or choose another port`,
        ),
        ...claims
            .filter(({ port }) => !takenPorts.has(port))
            .map(({ port, cluster }) => `port ${port} belongs to the cluster "${cluster}": choose another port`),
    ];
}

/** A listener on the declared address, or on all of them. */
function concerns({ at }: Listener, address: string): boolean {
    const host = at
        .replace(/:\d+$/, "")
        .replace(/%[^\]]*$/, "")
        .replace(/^\[|\]$/g, "")
        .replace(/^::ffff:/, "");
    return host === "*" || host === "0.0.0.0" || host === "::" || host === address;
}

/** In a data directory that is a file system of its own: what every one has, and what we have moved aside or restored there. */
const HARMLESS = ["lost+found", "set-aside", "restored"];

function ownershipProblems(inputs: ProvisionInputs, facts: Facts): readonly string[] {
    const { clusterToken, dataDir, install } = inputs;
    const { token, hasOurData, mounts, data, foreignFiles, otherTools, runsDebiansEtcd, isInstalled } = facts;
    const strange = facts.foreign ? [] : data.filter((entry) => !HARMLESS.includes(entry));
    return [
        ...(token !== undefined && token !== clusterToken
            ? [
                  `it belongs to the cluster with the token "${token}", declared is "${clusterToken}", and a token is for life: set clusterToken to "${token}", or give this cluster another name`,
              ]
            : []),
        ...(token === clusterToken && facts.dataDir !== undefined && facts.dataDir !== dataDir
            ? [
                  `its member has its data in ${facts.dataDir}, declared is ${dataDir}, and a data directory is for life: set dataDir to "${facts.dataDir}"`,
              ]
            : []),
        ...(facts.dataLink !== undefined
            ? [
                  `${dataDir} is a link to ${facts.dataLink}, and would be moved without its data: ${hasOurData ? "" : `set dataDir to "${facts.dataLink}", or `}mount the disk there`,
              ]
            : []),
        // A rename takes them along until the next boot, which mounts them where they were, over the data of a later member.
        ...mounts
            .filter((place) => !facts.foreign?.mounts.includes(place))
            .map(
                (place) =>
                    `${place}, in its data directory, is a file system of its own, and a data directory is moved as a whole: put what it holds on that of ${dataDir}, one host at a time`,
            ),
        ...(token === clusterToken && isStrangers(inputs, facts) && !inputs.adopt
            ? [
                  "it belongs to a cluster of this name that the state of this stack does not know, built by another stack, or by this one before its state was lost: use that stack, bring the state back, take the cluster over with adopt: true, or give this cluster another name",
              ]
            : []),
        ...(!hasOurData && strange.includes("member")
            ? [
                  `${dataDir} holds etcd data, and nothing on the host says that it is this cluster's: move it away, or choose another dataDir`,
              ]
            : []),
        ...(!hasOurData && strange.length > 0 && !strange.includes("member")
            ? [
                  `${dataDir} holds ${strange.slice(0, 3).join(", ")}, wanted is an empty directory or none: empty it, or choose another dataDir`,
              ]
            : []),
        ...(install.source === "debian" && !isInstalled && runsDebiansEtcd
            ? [
                  'etcd.service runs on it, and installing etcd\'s package would change that: stop it, or use install source "url" or "file"',
              ]
            : []),
        ...otherTools.map(
            ({ path, words }) =>
                `${path} is pulumi-etcd's, and another tool says there that it writes it (${words}): the two would undo each other's work; take the file out of that tool, and remove those lines`,
        ),
        ...foreignFiles.map(
            (file) => `${file} is there and was not made by pulumi-etcd: remove it, or give the cluster another name`,
        ),
    ];
}

/** Files of ours are there, from another state than this stack's. */
export function isStrangers({ owner: own }: ProvisionInputs, { owner }: Facts): boolean {
    return owner !== undefined && owner !== own;
}
