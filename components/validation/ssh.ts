import type { EtcdClusterArgs, EtcdHostArgs, SshArgs } from "../args";
import { isIPv4, isIPv6 } from "../address";
import { knownAs } from "../knownHosts";
import { isKnownType } from "../remote/hostKeys";
import { mergeSsh, resolveSsh, type ResolvedSsh } from "../resolveSsh";
import { checkWhole, problem, type Problems } from "./problems";

/** With the domain that directories give their users: `admin@corp.example.com`. */
const USER = /^[a-z_][a-z0-9_.-]{0,31}(@[a-z0-9.-]{1,253}|\$)?$/i;
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,62}[a-z0-9])?)*$/i;

export function checkSsh(args: EtcdClusterArgs): Problems {
    if (args.ssh === undefined) return problem("ssh", args.ssh, "how to log in: { privateKey, hostKeys, … }");
    if (!Array.isArray(args.hosts)) return [];
    const problems = [
        ...checkLogin("ssh", args.ssh),
        ...args.hosts.flatMap((host: EtcdHostArgs, index) => [
            ...(host.ssh === undefined ? [] : checkLogin(`hosts[${index}].ssh`, host.ssh)),
            ...checkReach(args, host),
        ]),
    ];
    return unique(problems);
}

/** What is wrong in itself, whatever it is merged with. */
function checkLogin(at: string, ssh: Partial<SshArgs>): Problems {
    return [
        ...checkUser(`${at}.user`, ssh.user),
        ...checkWhole(`${at}.port`, ssh.port, 1, 65535),
        ...checkWhole(`${at}.connectTimeoutSeconds`, ssh.connectTimeoutSeconds, 1, 600),
        ...checkKeyAndAgent(at, ssh),
        ...Object.entries(ssh.hostKeys ?? {}).flatMap(([name, keys]) =>
            [keys].flat().flatMap((key) => checkHostKey(`${at}.hostKeys.${name}`, key)),
        ),
        ...checkBastion(`${at}.bastion`, ssh.bastion),
    ];
}

function checkBastion(at: string, bastion: SshArgs["bastion"]): Problems {
    if (bastion === undefined || bastion === false) return [];
    const isName =
        typeof bastion.address === "string" &&
        (DNS_NAME.test(bastion.address) || isIPv4(bastion.address) || isIPv6(bastion.address));
    return [
        ...(isName ? [] : problem(`${at}.address`, bastion.address, "a host name or an IP address")),
        ...checkUser(`${at}.user`, bastion.user),
        ...checkWhole(`${at}.port`, bastion.port, 1, 65535),
        ...checkKeyAndAgent(at, bastion),
        ...(bastion.hostKey === undefined ? [] : checkHostKey(`${at}.hostKey`, bastion.hostKey)),
    ];
}

function checkUser(property: string, user: unknown): Problems {
    if (user === undefined || (typeof user === "string" && USER.test(user))) return [];
    return problem(property, user, 'a user name, such as "root"');
}

/** Staging goes by `@pulumi/command`, whose SSH library asks for public keys once: with a private key, it leaves an agent out. */
function checkKeyAndAgent(
    at: string,
    { privateKey, agentSocket }: Pick<SshArgs, "privateKey" | "agentSocket">,
): Problems {
    if (privateKey !== undefined && agentSocket !== undefined)
        return problem(
            `${at}.agentSocket`,
            agentSocket,
            "no agent beside a private key",
            "@pulumi/command would try the key alone",
        );
    return checkPrivateKey(`${at}.privateKey`, privateKey);
}

/** A key that is known already is looked at; what it is, is never told. */
function checkPrivateKey(property: string, key: unknown): Problems {
    if (typeof key !== "string" || /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(key)) return [];
    const found = /^(ssh|ecdsa)-\S+ /.test(key)
        ? "a public key"
        : key.trim() === ""
          ? "empty"
          : "a text that holds no private key";
    return [
        {
            property,
            found,
            wanted: "the text of a private key, in OpenSSH or PEM form",
            remedy: "read the file, don't give its path",
        },
    ];
}

function checkHostKey(property: string, key: unknown): Problems {
    const [type = "", blob = ""] = typeof key === "string" ? key.trim().split(/\s+/) : [];
    if (/^[A-Za-z0-9+/]{16,}={0,2}$/.test(blob) && typeInside(blob) === type && isKnownType(type)) return [];
    return problem(
        property,
        key,
        'a public key of Ed25519, ECDSA or RSA, such as "ssh-ed25519 AAAA…"',
        "on the host: cat /etc/ssh/ssh_host_ed25519_key.pub",
    );
}

/** A key begins with its own type, after four bytes of its length. */
function typeInside(blob: string): string {
    const bytes = Buffer.from(blob, "base64");
    return bytes.length < 4 ? "" : bytes.toString("latin1", 4, 4 + bytes.readUInt32BE(0));
}

/** What is missing for a host to be reached at all. */
function checkReach(args: EtcdClusterArgs, host: EtcdHostArgs): Problems {
    // What has no name or address is told elsewhere.
    if (typeof host.name !== "string" || typeof host.address !== "string") return [];
    const ssh = resolveSsh(args.ssh, host);
    const own = mergeSsh(args.ssh, host);
    const names = [ssh.address, host.name].map((name) => knownAs(name, ssh.port)).join(" or ");
    const looked = own.knownHosts === undefined ? "" : `, and knownHosts has none for ${names}`;
    return [
        ...checkCredentials("ssh", ssh, `for host ${JSON.stringify(host.name)}`),
        ...checkHostKeys(`ssh.hostKeys.${host.name}`, ssh, looked),
        ...(ssh.bastion === undefined
            ? []
            : [
                  ...checkCredentials("ssh.bastion", ssh.bastion, "for the bastion"),
                  ...checkHostKeys("ssh.bastion.hostKey", ssh.bastion, ""),
              ]),
    ];
}

function checkCredentials(at: string, ssh: ResolvedSsh, whom: string): Problems {
    if (ssh.privateKey !== undefined || ssh.agentSocket !== undefined || ssh.password !== undefined) return [];
    return [
        {
            property: at,
            found: `without a way to log in ${whom}`,
            wanted: "one of privateKey, agentSocket and password",
        },
    ];
}

function checkHostKeys(property: string, ssh: ResolvedSsh, looked: string): Problems {
    if (ssh.insecureSkipHostKeyCheck || ssh.hostKeys.length > 0) return [];
    return [
        {
            property,
            found: `missing${looked}`,
            wanted: 'the public key of the host, "ssh-ed25519 AAAA…"',
            remedy:
                "on the host: cat /etc/ssh/ssh_host_ed25519_key.pub (without it nobody can tell the host from an impostor; " +
                "insecureSkipHostKeyCheck goes without)",
        },
    ];
}

/** What is wrong with the cluster's `ssh` is told once, not for each host. */
function unique(problems: Problems): Problems {
    return [...new Map(problems.map((one) => [JSON.stringify(one), one])).values()];
}
