import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import type { ResolvedSsh } from "./resolveSsh";
import { commandHostKey } from "./remote/hostKeys";
import { SESSION_AGENT, type SshTarget } from "./remote/target";

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
    const hostKey = ssh.insecureSkipHostKeyCheck ? undefined : commandHostKey(ssh.hostKeys);
    return {
        host: ssh.address,
        port: ssh.port,
        user: ssh.user,
        ...(ssh.privateKey !== undefined && { privateKey: ssh.privateKey }),
        ...(ssh.passphrase !== undefined && { privateKeyPassword: ssh.passphrase }),
        ...(ssh.password !== undefined && { password: ssh.password }),
        // It takes the agent of whoever is logged in by itself.
        ...(ssh.agentSocket !== undefined && ssh.agentSocket !== SESSION_AGENT && { agentSocketPath: ssh.agentSocket }),
        ...(hostKey !== undefined && { hostKey }),
        perDialTimeout: ssh.connectTimeoutSeconds,
        // And one more: two dials in all.
        dialErrorLimit: 1,
    };
}
