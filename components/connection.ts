import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import type { ResolvedSsh } from "./resolveSsh";
import type { SshTarget } from "./remote/target";

/** What is resolved, with every late-known value known: for our own SSH connections. A secret, whatever it was made of. */
export function sshTarget(ssh: ResolvedSsh): pulumi.Output<SshTarget> {
    const { bastion, ...plain } = ssh;
    const target = pulumi.output(plain).apply((known) => {
        if (bastion === undefined) return pulumi.output(known as SshTarget);
        return sshTarget(bastion).apply((through): SshTarget => ({ ...(known as SshTarget), bastion: through }));
    });
    return pulumi.secret(target);
}

/** The same for `@pulumi/command`. */
export function commandConnection(ssh: ResolvedSsh): types.input.remote.ConnectionArgs {
    return { ...endpoint(ssh), ...(ssh.bastion && { proxy: endpoint(ssh.bastion) }) };
}

function endpoint(ssh: ResolvedSsh): types.input.remote.ProxyConnectionArgs {
    const hostKey = commandHostKey(ssh);
    return {
        host: ssh.address,
        port: ssh.port,
        user: ssh.user,
        ...(ssh.privateKey !== undefined && { privateKey: ssh.privateKey }),
        ...(ssh.passphrase !== undefined && { privateKeyPassword: ssh.passphrase }),
        ...(ssh.password !== undefined && { password: ssh.password }),
        ...(ssh.agentSocket !== undefined && { agentSocketPath: ssh.agentSocket }),
        ...(hostKey !== undefined && { hostKey }),
        perDialTimeout: ssh.connectTimeoutSeconds,
        dialErrorLimit: 2,
    };
}

/**
 * `@pulumi/command` takes one host key, and its SSH library asks a host for a key in an order of its own: of the keys that we know, the
 * one that it would ask for first.
 */
const ASKED_FIRST = ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa", "ssh-ed25519"];

function commandHostKey(ssh: ResolvedSsh): string | undefined {
    if (ssh.insecureSkipHostKeyCheck) return undefined;
    const rank = (key: string) => ASKED_FIRST.indexOf(key.split(" ")[0] ?? "");
    return [...ssh.hostKeys].sort((left, right) => rank(left) - rank(right))[0];
}
