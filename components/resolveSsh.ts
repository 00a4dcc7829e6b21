import type { BastionArgs, EtcdHostArgs, SshArgs } from "./args";
import { lookUpKnownHosts } from "./knownHosts";
import { AGENT_VARIABLE, SESSION_AGENT } from "./remote/target";

/** How one host is logged in to, with all defaults and overrides settled. Secrets may be late-known, all else is plain. */
export interface ResolvedSsh {
    readonly address: string;
    readonly port: number;
    readonly user: string;
    readonly privateKey?: NonNullable<SshArgs["privateKey"]>;
    readonly passphrase?: NonNullable<SshArgs["passphrase"]>;
    readonly password?: NonNullable<SshArgs["password"]>;
    readonly agentSocket?: string;
    /** `type base64` lines; empty only when the check is switched off. */
    readonly hostKeys: readonly string[];
    readonly insecureSkipHostKeyCheck: boolean;
    /** Become root through sudo. */
    readonly sudo: boolean;
    readonly sudoPassword?: NonNullable<SshArgs["sudoPassword"]>;
    readonly bastion?: ResolvedSsh;
    readonly connectTimeoutSeconds: number;
}

/** The `ssh` of a host: its own, and the cluster's for what it does not say. */
export function mergeSsh(cluster: SshArgs, host: Pick<EtcdHostArgs, "ssh">): SshArgs {
    const own = host.ssh ?? {};
    return { ...overlaid(cluster, own), hostKeys: { ...cluster.hostKeys, ...own.hostKeys } };
}

/** What is undefined says nothing. A key goes with its own passphrase, and takes the place of an agent, as an agent does of a key. */
function overlaid<Own extends Partial<SshArgs>>(around: SshArgs, own: Own): SshArgs & Own {
    const said = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
    const { privateKey: _key, passphrase: _passphrase, agentSocket: _agent, ...rest } = around;
    const isOwn = own.privateKey !== undefined || own.agentSocket !== undefined;
    return { ...(isOwn ? rest : around), ...said } as SshArgs & Own;
}

/** Settles how a host is logged in to. What is missing (credentials, host keys) is `validate`'s to tell. */
export function resolveSsh(cluster: SshArgs, host: Pick<EtcdHostArgs, "name" | "address" | "ssh">): ResolvedSsh {
    const ssh = mergeSsh(cluster, host);
    const port = ssh.port ?? 22;
    // By its own name alone: a host may be called "constructor".
    const given = new Map(Object.entries(ssh.hostKeys ?? {})).get(host.name) ?? [];
    return {
        ...login(ssh),
        address: host.address,
        port,
        hostKeys:
            given.length > 0 ? [given].flat() : lookUpKnownHosts(ssh.knownHosts ?? "", [host.address, host.name], port),
        ...(ssh.sudoPassword !== undefined && { sudoPassword: ssh.sudoPassword }),
        ...(ssh.bastion && { bastion: resolveBastion(ssh, ssh.bastion) }),
    };
}

function resolveBastion(ssh: SshArgs, bastion: BastionArgs): ResolvedSsh {
    const port = bastion.port ?? 22;
    return {
        ...login(overlaid(ssh, bastion)),
        address: bastion.address,
        port,
        hostKeys:
            bastion.hostKey !== undefined
                ? [bastion.hostKey]
                : lookUpKnownHosts(ssh.knownHosts ?? "", [bastion.address], port),
        // Nothing is run on the bastion itself.
        sudo: false,
    };
}

/** Sockets that OpenSSH's agent and server make for one login: another one each time, and the same setting. */
const OF_ONE_LOGIN = /^\/tmp\/ssh-[^/]+\/agent[.]\d+$|\/[.]ssh\/agent\/[^/]+$/;

function lastingAgent(socket: string): string {
    return socket === process.env[AGENT_VARIABLE] && OF_ONE_LOGIN.test(socket) ? SESSION_AGENT : socket;
}

function login(ssh: SshArgs): Omit<ResolvedSsh, "address" | "port" | "hostKeys"> {
    const user = ssh.user ?? "root";
    return {
        user,
        ...(ssh.privateKey !== undefined && { privateKey: ssh.privateKey }),
        ...(ssh.passphrase !== undefined && { passphrase: ssh.passphrase }),
        ...(ssh.password !== undefined && { password: ssh.password }),
        ...(ssh.agentSocket !== undefined && { agentSocket: lastingAgent(ssh.agentSocket) }),
        insecureSkipHostKeyCheck: ssh.insecureSkipHostKeyCheck ?? false,
        sudo: user !== "root",
        connectTimeoutSeconds: ssh.connectTimeoutSeconds ?? 15,
    };
}
