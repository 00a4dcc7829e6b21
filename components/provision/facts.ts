/** What has to be true of a host before anything is changed on any. Pure: the question as a script, and what its answer means. */
import { HEADER } from "../host/settings";
import type { HostPaths } from "../host/paths";
import { shellQuote } from "../quote";

/** What one host is to hold. */
export interface Ask {
    readonly name: string;
    readonly address: string;
    readonly peerPort: number;
    readonly clientPort: number;
    readonly clusterToken: string;
    readonly firewall: boolean;
    readonly needsApt: boolean;
}

/** Free space that a member needs at least, in MiB: binaries, a log, and a database that begins. */
const FREE_MIB = 512;

/** Certificates are valid from the moment they are made: a host this far behind would refuse them. */
const CLOCK_SECONDS = 60;

/** Answers in lines of `key=value`. Reads only. */
export function factsScript(paths: HostPaths, ask: Ask): string {
    const ports = [ask.peerPort, ask.clientPort];
    return `
PATH=$PATH:/usr/sbin:/sbin
echo "now=$(date +%s)"
echo "kernel=$(uname -s)"
[ -d /run/systemd/system ] && echo systemd=yes
for tool in nft apt-get ss; do command -v $tool >/dev/null && echo "tool=$tool"; done
place=${shellQuote(paths.dataDir)}
while ! [ -d "$place" ]; do place=$(dirname "$place"); done
echo "free=$(df -Pk "$place" | awk 'NR == 2 { print int($4 / 1024) }')"
echo "place=$place"
ip -o address show 2>/dev/null | awk '{ split($4, address, "/"); print "address=" address[1] }'
for port in ${ports.join(" ")}; do
    ss -Hltnp "sport = :$port" 2>/dev/null | while read -r _ _ _ at _ who; do
        pid=$(echo "$who" | sed -n 's/.*pid=\\([0-9]*\\).*/\\1/p')
        grep -qs '/${paths.unit}\\.service' "/proc/$pid/cgroup" || echo "listener=$port $at $who"
    done
done
[ -d ${shellQuote(`${paths.dataDir}/member`)} ] && echo data=yes
sed -n 's/^token=/token=/p' ${shellQuote(paths.identity)} 2>/dev/null
sed -n '2s/^/mark=/p' ${shellQuote(paths.mark)} 2>/dev/null
for file in ${shellQuote(paths.unitFile)} ${shellQuote(paths.firewallUnitFile)}; do
    if [ -e "$file" ] && ! head -n 1 "$file" | grep -qF ${shellQuote(HEADER.split(":")[0] ?? HEADER)}; then echo "foreign=$file"; fi
done
true`;
}

/** Why a host can't hold what it is to hold: a sentence each, none if it can. */
export function problemsOf(paths: HostPaths, ask: Ask, answer: string, nowSeconds: number): readonly string[] {
    const facts = parse(answer);
    const one = (key: string): string | undefined => facts.get(key)?.[0];
    if (one("kernel") !== "Linux")
        return [`it runs ${one("kernel") ?? "an unknown system"}; wanted is Linux with systemd`];
    const problems: string[] = [];
    const require = (holds: boolean, problem: string): void => {
        if (!holds) problems.push(problem);
    };
    const tools = facts.get("tool") ?? [];
    require(one("systemd") === "yes", "systemd does not run on it; wanted is a host that systemd has booted");
    require(!ask.firewall || tools.includes("nft"), "it has no nft; install nftables, or set firewall: false");
    require(!ask.needsApt ||
        tools.includes("apt-get"), "it has no apt-get; choose another install source than the Debian package");
    require(tools.includes("ss"), "it has no ss; install iproute2");

    const offset = Number(one("now")) - nowSeconds;
    require(Math.abs(offset) <=
        CLOCK_SECONDS, `its clock is ${describeOffset(offset)} this machine's (at most ${CLOCK_SECONDS} s are allowed, since certificates would not be valid yet, or no more); set it, and keep it with NTP`);

    const free = Number(one("free"));
    require(free >=
        FREE_MIB, `${one("place")} has ${free} MiB free and ${FREE_MIB} are wanted; make room, or choose another dataDir`);

    const addresses = facts.get("address") ?? [];
    require(addresses.length === 0 ||
        addresses.includes(
            ask.address,
        ), `${ask.address} is not an address of it (it has ${addresses.filter(isPublic).join(", ")}); etcd listens on the declared address`);

    for (const listener of facts.get("listener") ?? []) {
        const [port, at = "", who = ""] = listener.split(" ");
        if (!concerns(at, ask.address)) continue;
        require(false, `port ${port} is taken by ${nameOfProcess(who)} (${at}); stop it, or choose another port`);
    }

    const token = one("token") ?? one("mark");
    require(token === undefined ||
        token ===
            ask.clusterToken, `it belongs to the cluster with token "${token}", and "${ask.clusterToken}" is declared; a token is for life: set clusterToken back, or choose another name`);
    require(one("data") !== "yes" ||
        one("token") !==
            undefined, `${paths.dataDir} holds etcd data that no cluster of ours wrote; it was left alone: move it away, or choose another dataDir`);
    for (const file of facts.get("foreign") ?? []) {
        require(false, `${file} is there and was not made by pulumi-etcd; remove it, or give the cluster another name`);
    }
    return problems;
}

function parse(answer: string): ReadonlyMap<string, readonly string[]> {
    const facts = new Map<string, string[]>();
    for (const line of answer.split("\n")) {
        const cut = line.indexOf("=");
        if (cut > 0) facts.set(line.slice(0, cut), [...(facts.get(line.slice(0, cut)) ?? []), line.slice(cut + 1)]);
    }
    return facts;
}

function describeOffset(seconds: number): string {
    return `${Math.abs(seconds)} s ${seconds < 0 ? "behind" : "ahead of"}`;
}

function isPublic(address: string): boolean {
    return !address.startsWith("127.") && address !== "::1" && !address.startsWith("fe80:");
}

/** A listener on the declared address, or on all of them. */
function concerns(listener: string, address: string): boolean {
    const host = listener
        .replace(/:\d+$/, "")
        .replace(/^\[|\]$/g, "")
        .replace(/%.*$/, "");
    return host === "*" || host === "0.0.0.0" || host === "::" || host === address;
}

function nameOfProcess(who: string): string {
    const match = /\("([^"]+)",pid=(\d+)/.exec(who);
    return match ? `${match[1]} (process ${match[2]})` : "another process";
}
