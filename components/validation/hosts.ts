import { canonicalAddress, isAddress, whyNoMemberAddress } from "../address";
import type { EtcdClusterArgs, EtcdHostArgs } from "../args";
import { checkDistinct, checkPort, problem, type Problems } from "./problems";

/** Letters, digits, dots and hyphens: what etcd, a file name, a DNS name and a certificate all take. */
export const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?$/;
export const NAME_WANTED = "1 to 63 letters, digits, dots and hyphens, with a letter or digit at both ends";

export function checkHosts(args: EtcdClusterArgs): Problems {
    const { hosts } = args;
    if (!Array.isArray(hosts) || hosts.length === 0) {
        return problem("hosts", hosts, "a list of at least one host", "an existing cluster goes with `pulumi destroy`");
    }
    return [
        ...hosts.flatMap((host: EtcdHostArgs, index) => checkHost(args, host, `hosts[${index}]`)),
        ...checkDistinctHosts(hosts),
        ...checkSize(args),
    ];
}

function checkHost(args: EtcdClusterArgs, host: EtcdHostArgs, at: string): Problems {
    return [
        ...checkName(`${at}.name`, host.name, host.address),
        ...checkAddress(`${at}.address`, host.address),
        ...checkPort(`${at}.clientPort`, host.clientPort),
        ...checkPort(`${at}.peerPort`, host.peerPort),
        ...checkPorts(args, host, at),
    ];
}

function checkName(property: string, name: unknown, address: unknown): Problems {
    if (typeof name !== "string" || !NAME.test(name)) return problem(property, name, NAME_WANTED);
    if (isAddress(name) && name !== address)
        return problem(
            property,
            name,
            "a name that is no other machine's address",
            "its certificate would be good for that machine, too",
        );
    // etcd v3.6 server/embed/config.go: members that all have the default name are taken for one.
    if (name === "default")
        return problem(property, name, "a name of the member's own", "etcd uses this one for members that have none");
    return [];
}

function checkAddress(property: string, address: unknown): Problems {
    const wanted = 'an IP address, such as "10.0.0.11" or "fd00::11"';
    if (typeof address !== "string" || !isAddress(address)) return problem(property, address, wanted);
    const reason = whyNoMemberAddress(address);
    if (reason !== undefined) return problem(property, address, "an address of the host's own", reason);
    const canonical = canonicalAddress(address);
    return canonical === address
        ? []
        : problem(property, address, `the usual form of it, ${JSON.stringify(canonical)}`);
}

/** Two servers of one host can't have one port. */
function checkPorts(args: EtcdClusterArgs, host: EtcdHostArgs, at: string): Problems {
    const client = host.clientPort ?? args.clientPort ?? 2379;
    const peer = host.peerPort ?? args.peerPort ?? 2380;
    const ssh = host.ssh?.port ?? args.ssh?.port ?? 22;
    if (client === peer) return problem(`${at}.clientPort`, client, "another port than peerPort's");
    if (client === ssh) return problem(`${at}.clientPort`, client, "another port than SSH's");
    if (peer === ssh) return problem(`${at}.peerPort`, peer, "another port than SSH's");
    return [];
}

function checkDistinctHosts(hosts: readonly EtcdHostArgs[]): Problems {
    const lower = (value: unknown) => (typeof value === "string" ? value.toLowerCase() : undefined);
    return [
        ...checkDistinct(
            hosts,
            (host) => lower(host.name),
            (index, first) =>
                problem(
                    `hosts[${index}].name`,
                    hosts[index]?.name,
                    `a name that no other host has, and hosts[${first}] has it`,
                ),
        ),
        ...checkDistinct(
            hosts,
            (host) => lower(host.address),
            (index, first) =>
                problem(
                    `hosts[${index}].address`,
                    hosts[index]?.address,
                    `an address that no other host has, and hosts[${first}] has it`,
                    "two members on one machine would fall together",
                ),
        ),
    ];
}

function checkSize({ hosts, allowEvenSize }: EtcdClusterArgs): Problems {
    const size = hosts.length;
    if (size % 2 === 1 || allowEvenSize === true) return [];
    return [
        {
            property: "hosts",
            found: `a list of ${size}`,
            wanted: "an odd number of hosts",
            remedy: `${size} members survive the loss of ${toleranceOf(size)}, no more than ${size - 1}: declare one more or one less, or set allowEvenSize`,
        },
    ];
}

/** How many members of a cluster may fall. */
export function toleranceOf(size: number): number {
    return Math.floor((size - 1) / 2);
}
