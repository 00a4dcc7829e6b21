/** What an operator declares of a cluster → all that follows from it. */
import * as pulumi from "@pulumi/pulumi";

import type { BackupArgs, EtcdClusterArgs, EtcdHostArgs, InstallSource } from "./args";
import type { Claim } from "./claims";
import type { BackupSettings } from "./host/backup";
import { releaseDir } from "./host/install";
import { hostPaths, type HostPaths } from "./host/paths";
import { FIRST_AUTHORITY, type HostSettings } from "./host/settings";
import { defaultMaxLearners } from "./host/version";
import type { Timeouts } from "./membership/types";
import { timeoutsOf } from "./timeouts";

/** The arguments with all that follows from them. */
export interface Settled {
    readonly name: string;
    readonly args: EtcdClusterArgs;
    readonly token: string;
    /** `<project>/<stack>` */
    readonly stack: string;
    readonly paths: HostPaths;
    readonly release: string;
    readonly maxLearners: number;
    readonly timeouts: Timeouts;
    readonly authorities: readonly number[];
    readonly ports: (host: EtcdHostArgs) => { readonly peerPort: number; readonly clientPort: number };
}

export function settle(name: string, declared: EtcdClusterArgs): Settled {
    const args = { ...declared, install: settledInstall(declared.install) };
    return {
        name,
        args,
        token: args.clusterToken ?? `${name}.${pulumi.getStack()}`,
        stack: `${pulumi.getProject()}/${pulumi.getStack()}`,
        paths: hostPaths(name, args.dataDir),
        release: releaseDir(args.install, args.version),
        maxLearners: args.maxLearners ?? defaultMaxLearners(args.version),
        timeouts: timeoutsOf(args.hosts.length, args.timeouts),
        authorities: args.certificates?.authorities ?? FIRST_AUTHORITY,
        ports: (host) => ({
            peerPort: host.peerPort ?? args.peerPort ?? 2380,
            clientPort: host.clientPort ?? args.clientPort ?? 2379,
        }),
    };
}

/** A sum is the same in capitals, and names where binaries are. */
function settledInstall(install: InstallSource): InstallSource {
    return install.source === "debian" ? install : { ...install, sha256: install.sha256.toLowerCase() };
}

export function places({ args, paths, ports }: Settled): readonly Claim[] {
    return args.hosts.map((host) => ({
        name: host.name,
        address: host.address,
        ...ports(host),
        dataDir: paths.dataDir,
    }));
}

export function backupOf(args: BackupArgs): BackupSettings {
    return {
        schedule: args.schedule ?? "daily",
        directory: args.directory ?? "/srv/backup/etcd",
        keep: args.keep ?? 14,
    };
}

export function hostSettings(
    { name, args, token, paths, release, ports, maxLearners, authorities }: Settled,
    host: EtcdHostArgs,
): HostSettings {
    return {
        cluster: name,
        clusterToken: token,
        version: args.version,
        name: host.name,
        address: host.address,
        ...ports(host),
        paths,
        releaseDir: release,
        logLevel: args.logLevel ?? "info",
        tuning: args.tuning ?? {},
        maxLearners,
        peers: args.hosts.map((peer) => peer.address),
        authorities,
        firewall: args.firewall ?? true,
        ...(args.backup && { backup: backupOf(args.backup) }),
        clientAddresses: (args.clients ?? []).flatMap((client) => client.addresses ?? []),
    };
}
