import { isAddress, isIPv4, isIPv6 } from "../address";

import { HEADER, type HostSettings } from "./settings";

/**
 * The firewall table of one cluster on one host. It has a say in the cluster's two ports only: whoever is not let in is refused at
 * once, with a reset and not with silence, so that a wrong address shows as "connection refused" and not as a time-out. Connections are
 * judged packet by packet, so a peer that is shut out is out at once, whatever connections it had.
 *
 * Loading the text replaces the whole table in one transaction.
 */
export function renderFirewall(settings: HostSettings): string {
    const { paths, peerPort, clientPort } = settings;
    const clients = [...new Set(settings.clientAddresses)].sort();
    const table = `table inet ${paths.firewallTable}`;
    return `${HEADER}
${table} {
}
delete ${table}
${table} {
    include "${paths.peers}"

${renderSet("clients4", "ipv4_addr", clients.filter(isFour), true)}
${renderSet("clients6", "ipv6_addr", clients.filter(isSix), true)}

    chain input {
        type filter hook input priority filter - 5; policy accept;
        tcp dport != { ${peerPort}, ${clientPort} } accept
        iif lo accept
        ip saddr @peers4 accept
        ip6 saddr @peers6 accept
        tcp dport ${clientPort} ip saddr @clients4 accept
        tcp dport ${clientPort} ip6 saddr @clients6 accept
        tcp dport { ${peerPort}, ${clientPort} } reject with tcp reset
    }
}
`;
}

/** How the table's rules judge, in their order. */
const VERDICTS = ["accept", "accept", "accept", "accept", "accept", "accept", "reject"];

/** A condition of a POSIX shell: the table is there with all its rules and no others, whoever else works on the host's firewall. */
export function isFirewallInForce(table: string): string {
    const verdicts = "s/.*[[:blank:]]\\(accept\\)$/\\1/p; s/.*[[:blank:]]\\(reject\\) with tcp reset$/\\1/p";
    return `[ "$(/usr/sbin/nft list chain inet ${table} input 2>/dev/null | sed -n '${verdicts}')" = '${VERDICTS.join("\n")}' ]`;
}

/** What takes the table away, and nothing else. */
export function renderNoFirewall({ paths }: HostSettings): string {
    const table = `table inet ${paths.firewallTable}`;
    return `${HEADER}\n${table} {\n}\ndelete ${table}\n`;
}

/** The text of `peers.nft`: who is let in to both ports. The firewall's table includes it. */
export function renderPeers(addresses: readonly string[]): string {
    const sorted = [...new Set(addresses)].sort();
    const wrong = sorted.find((address) => !isAddress(address));
    if (wrong !== undefined)
        throw new RangeError(`a peer's address can't be ${JSON.stringify(wrong)}: wanted is an IP address`);
    return `${HEADER}
${renderSet("peers4", "ipv4_addr", sorted.filter(isFour), false)}
${renderSet("peers6", "ipv6_addr", sorted.filter(isSix), false)}
`;
}

/** The addresses that a `peers.nft` lets in, sorted; what it does not understand it takes for nobody. */
export function parsePeers(text: string): readonly string[] {
    const lists = [...text.matchAll(/^\s*elements = \{([^}]*)\}/gm)].map((match) => match[1] ?? "");
    const words = lists.flatMap((list) => list.split(",")).map((word) => word.trim());
    return words.filter((word) => isAddress(word)).sort();
}

/** The unit that loads the table at boot, before there is a network. Nobody has to stop it to change the table: it is reloaded. */
export function renderFirewallUnit({ paths, cluster }: HostSettings): string {
    return `${HEADER}
[Unit]
Description=Firewall of the etcd member of ${cluster}
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target ${paths.unit}.service
Conflicts=shutdown.target
After=local-fs.target nftables.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
# What etcd's unit looks for.
RuntimeDirectory=${paths.firewallUnit}
ExecStart=/usr/sbin/nft -f ${paths.firewall}
ExecReload=/usr/sbin/nft -f ${paths.firewall}
ExecStop=-/usr/sbin/nft delete table inet ${paths.firewallTable}

[Install]
WantedBy=sysinit.target
`;
}

/**
 * What the host's own firewall service has to do besides: Debian's flushes all tables, ours as well, whenever it is started, reloaded or
 * stopped. The file may be gone, then nothing happens.
 */
export function renderFirewallDropIn({ paths }: HostSettings): string {
    const load = `-/usr/sbin/nft -f ${paths.firewall}`;
    return `${HEADER}
[Service]
ExecStartPost=${load}
ExecReload=${load}
ExecStopPost=${load}
`;
}

function renderSet(name: string, type: string, elements: readonly string[], networks: boolean): string {
    const lines = [
        `    set ${name} {`,
        `        type ${type}`,
        ...(networks ? ["        flags interval", "        auto-merge"] : []),
        ...(elements.length > 0 ? [`        elements = { ${elements.join(", ")} }`] : []),
        "    }",
    ];
    return lines.join("\n");
}

function isFour(address: string): boolean {
    return isIPv4(address.split("/")[0] ?? "");
}

function isSix(address: string): boolean {
    return isIPv6(address.split("/")[0] ?? "");
}
