import * as pulumi from "@pulumi/pulumi";

import type { BackupArgs, EtcdClusterArgs, EtcdHostArgs } from "./args";
import { bundle, unlessNobody, type Authorities } from "./adoption/authorities";
import { claimPlaces, type Claim } from "./claims";
import { ClusterCertificates, type ClientCertificate } from "./certificates";
import { sshTarget } from "./connection";
import { EtcdHost } from "./etcdHost";
import type { BackupSettings } from "./host/backup";
import { releaseDir } from "./host/install";
import { hostPaths, type HostPaths } from "./host/paths";
import { FIRST_AUTHORITY, type HostSettings } from "./host/settings";
import { defaultMaxLearners } from "./host/version";
import type { MemberRow } from "./membership/inputs";
import { EtcdMembership } from "./membership/resource";
import type { Timeouts } from "./membership/types";
import { withPlainStacks } from "./plainStacks";
import { EtcdProvision } from "./provision/resource";
import { resolveSsh } from "./resolveSsh";
import { isSame } from "./stateValues";
import { timeoutsOf } from "./timeouts";
import { validateCluster } from "./validate";

/**
 * An etcd cluster on plain Linux hosts that are reached over SSH. What is declared is made so, and kept so, from wherever the last run
 * stopped; `pulumi preview` shows the steps.
 */
export class EtcdCluster extends pulumi.ComponentResource {
    /** The client URLs of all members, in the declared order. */
    readonly endpoints: pulumi.Output<readonly string[]>;
    /** The certificates of the authorities that clients check the members with: one, or more while authorities are rotated. */
    readonly ca: pulumi.Output<string>;
    /** By client name: what a declared client logs in with. The keys are secrets. */
    readonly clientCertificates: Readonly<Record<string, ClientCertificate>>;
    /** What this package itself logs in with. The key is a secret. */
    readonly operator: ClientCertificate;
    readonly clusterId: pulumi.Output<string>;
    readonly members: pulumi.Output<readonly MemberRow[]>;
    /** `existing`, from the moment the first member lives. */
    readonly initialClusterState: pulumi.Output<"existing">;
    /** What to type to use the cluster, with the operator's certificate saved as `ca.crt`, `operator.crt` and `operator.key`. */
    readonly etcdctl: pulumi.Output<string>;

    constructor(name: string, args: EtcdClusterArgs, opts?: pulumi.ComponentResourceOptions) {
        super("etcd:index:EtcdCluster", name, {}, opts);
        for (const warning of validateCluster(name, args)) void pulumi.log.warn(warning, this);

        const cluster = settle(name, args);
        claimPlaces(
            name,
            places(cluster),
            (args.clients ?? []).map((client) => client.name),
        );
        const { certificates, provision, membership } = withPlainStacks(() => this.parts(cluster));

        void provision.inherited.apply((inherited) => inherited?.isPlain && this.warnOfPlainClients(args));

        const trusting = (own: ClientCertificate): ClientCertificate => ({
            ...own,
            ca: pulumi
                .all([own.ca, inheritedBy(provision)])
                .apply(([ca, inherited]) => (inherited ? bundle(ca, inherited.clientCa) : ca)),
        });
        this.clientCertificates = Object.fromEntries(
            Object.entries(certificates.clients).map(([client, own]) => [client, trusting(own)]),
        );
        this.operator = trusting(certificates.operator);
        this.ca = this.operator.ca;
        this.clusterId = membership.clusterId;
        this.members = membership.members;
        this.initialClusterState = membership.initialClusterState;
        // Known only when the members are there: whoever uses them comes after.
        this.endpoints = membership.members.apply((members) => members.map((member) => member.clientUrl));
        this.etcdctl = this.endpoints.apply(
            (endpoints) =>
                `etcdctl --endpoints ${endpoints.join(",")} --cacert ca.crt --cert operator.crt --key operator.key`,
        );
        this.registerOutputs({
            endpoints: this.endpoints,
            ca: this.ca,
            clusterId: this.clusterId,
            members: this.members,
            initialClusterState: this.initialClusterState,
            etcdctl: this.etcdctl,
        });
    }

    private warnOfPlainClients({ firewall = true }: EtcdClusterArgs): void {
        const who = firewall
            ? "all addresses of declared clients and hosts"
            : "whoever reaches it, since there is no firewall";
        void pulumi.log.warn(
            `the client port is open without TLS and without certificates to ${who}, as it was when the cluster was found, until adopt is taken away: give clients their certificates, then take it away`,
            this,
        );
    }

    private parts(cluster: Settled): Parts {
        const certificates = this.certificates(cluster);
        const provision = this.provision(cluster);
        const hosts = this.hosts(cluster, certificates, provision);
        return { certificates, provision, membership: this.membership(cluster, certificates, provision, hosts) };
    }

    private certificates({ name, args }: Settled): ClusterCertificates {
        return new ClusterCertificates(
            name,
            {
                cluster: name,
                hosts: args.hosts.map((host) => ({ name: host.name, address: host.address })),
                clients: (args.clients ?? []).map((client) => client.name),
                ...args.certificates,
            },
            { parent: this },
        );
    }

    private provision({ name, args, paths, token, ports, timeouts, authorities }: Settled): EtcdProvision {
        return new EtcdProvision(
            `${name}-provision`,
            {
                schemaVersion: 1,
                cluster: name,
                clusterToken: token,
                version: args.version,
                install: args.install,
                dataDir: paths.dataDir,
                firewall: args.firewall ?? true,
                ...(args.backup && { backup: true }),
                deleteDataOnDestroy: args.deleteDataOnDestroy ?? false,
                tuning: args.tuning ?? {},
                ...(args.adopt && {
                    adopt: {
                        tuning: args.tuning ?? {},
                        clientAddresses: (args.clients ?? []).flatMap((client) => client.addresses ?? []),
                    },
                }),
                ...(!isSame(authorities, FIRST_AUTHORITY) && { authorities }),
                stack: `${pulumi.getProject()}/${pulumi.getStack()}`,
                lockSeconds: timeouts.lockSeconds,
                commandSeconds: timeouts.commandSeconds,
                hosts: args.hosts.map((host) => ({
                    name: host.name,
                    address: host.address,
                    ...ports(host),
                    ssh: sshTarget(resolveSsh(args.ssh, host)),
                })),
            },
            { parent: this },
        );
    }

    private hosts(cluster: Settled, certificates: ClusterCertificates, provision: EtcdProvision): readonly EtcdHost[] {
        return cluster.args.hosts.map(
            (host) =>
                new EtcdHost(
                    `${cluster.name}-${host.name}`,
                    {
                        settings: hostSettings(cluster, host),
                        ssh: resolveSsh(cluster.args.ssh, host),
                        certificates: certificates.hosts[host.name]!,
                        inherited: inheritedBy(provision),
                        owner: provision.owner,
                        triggers: [provision.incarnations.apply((all) => all[host.name] ?? "")],
                    },
                    { parent: this, dependsOn: provision },
                ),
        );
    }

    private membership(
        { name, args, token, paths, release, ports, maxLearners, timeouts }: Settled,
        certificates: ClusterCertificates,
        provision: EtcdProvision,
        hosts: readonly EtcdHost[],
    ): EtcdMembership {
        return new EtcdMembership(
            `${name}-membership`,
            {
                schemaVersion: 1,
                cluster: name,
                clusterToken: token,
                version: args.version,
                dataDir: paths.dataDir,
                releaseDir: release,
                stack: `${pulumi.getProject()}/${pulumi.getStack()}`,
                hosts: args.hosts.map((host, index) => ({
                    name: host.name,
                    address: host.address,
                    ...ports(host),
                    ssh: sshTarget(resolveSsh(args.ssh, host)),
                    generation: hosts[index]!.generation,
                })),
                ...(args.restore && { restore: args.restore }),
                maxLearners,
                allowEvenSize: args.allowEvenSize ?? false,
                firewall: args.firewall ?? true,
                deleteDataOnDestroy: args.deleteDataOnDestroy ?? false,
                access: args.access ?? "ssh",
                timeouts,
                credentials: certificates.operator,
                owner: provision.owner,
                inherited: inheritedBy(provision),
            },
            { parent: this, dependsOn: [provision, ...hosts] },
        );
    }
}

interface Parts {
    readonly certificates: ClusterCertificates;
    readonly provision: EtcdProvision;
    readonly membership: EtcdMembership;
}

/** The arguments with all that follows from them. */
interface Settled {
    readonly name: string;
    readonly args: EtcdClusterArgs;
    readonly token: string;
    readonly paths: HostPaths;
    readonly release: string;
    readonly maxLearners: number;
    readonly timeouts: Timeouts;
    readonly authorities: readonly number[];
    readonly ports: (host: EtcdHostArgs) => { readonly peerPort: number; readonly clientPort: number };
}

/** Whom the cluster trusted before, while it is taken over. */
function inheritedBy(provision: EtcdProvision): pulumi.Output<Authorities | undefined> {
    return provision.inherited.apply(unlessNobody);
}

function settle(name: string, args: EtcdClusterArgs): Settled {
    return {
        name,
        args,
        token: args.clusterToken ?? `${name}.${pulumi.getStack()}`,
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

function places({ args, paths, ports }: Settled): readonly Claim[] {
    return args.hosts.map((host) => ({
        name: host.name,
        address: host.address,
        ...ports(host),
        dataDir: paths.dataDir,
    }));
}

function backupOf(args: BackupArgs): BackupSettings {
    return {
        schedule: args.schedule ?? "daily",
        directory: args.directory ?? "/srv/backup/etcd",
        keep: args.keep ?? 14,
    };
}

function hostSettings(
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
