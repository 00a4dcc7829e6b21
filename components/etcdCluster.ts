import * as pulumi from "@pulumi/pulumi";

import type { EtcdClusterArgs } from "./args";
import { bundle, unlessNobody, type Authorities } from "./adoption/authorities";
import { claimPlaces } from "./claims";
import { ClusterCertificates, type ClientCertificate } from "./certificates";
import { sshTarget } from "./connection";
import { EtcdHost } from "./etcdHost";
import { FIRST_AUTHORITY } from "./host/settings";
import type { LateInputs } from "./late";
import { LookAhead } from "./lookAhead";
import type { MemberRow, MembershipInputs } from "./membership/inputs";
import { EtcdMembership } from "./membership/resource";
import { withPlainStacks } from "./plainStacks";
import type { ProvisionInputs } from "./provision/inputs";
import { EtcdProvision } from "./provision/resource";
import type { SshTarget } from "./remote/target";
import { resolveSsh } from "./resolveSsh";
import { backupOf, hostSettings, places, settle, type Settled } from "./settled";
import { isSame } from "./stateValues";
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
    /** In hexadecimal, as `restore.replaces` takes it. */
    readonly clusterId: pulumi.Output<string>;
    /** In the declared order. */
    readonly members: pulumi.Output<readonly MemberRow[]>;
    /** `existing`, from the moment the first member lives. */
    readonly initialClusterState: pulumi.Output<"existing">;
    /** What to type to use the cluster, with the operator's certificate saved as `ca.crt`, `operator.crt` and `operator.key`. */
    readonly etcdctl: pulumi.Output<string>;

    /**
     * @param name 1 to 40 letters, digits and hyphens, with a letter or digit at both ends; not one that ends in `-firewall` or `-backup`. It is
     * in every path and unit on hosts, and for the cluster's life: another name is another cluster.
     * @throws an error with all that is wrong with the arguments, one a line
     */
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
        this.members = membership.members.apply((members) => members ?? []);
        this.initialClusterState = membership.initialClusterState;
        // Known only when the members are there: whoever uses them comes after.
        this.endpoints = this.members.apply((members) => members.map((member) => member.clientUrl));
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
        const reached = reachedHosts(cluster);
        const inputs = provisionInputs(cluster, reached, certificates);
        // A cluster that is taken over, or begins anew, is asked by membership alone.
        const isAsked = !cluster.args.adopt && !cluster.args.restore;
        const ahead = new LookAhead(inputs, membershipInputs(cluster, reached, certificates, []), isAsked);
        const provision = new EtcdProvision(
            `${cluster.name}-provision`,
            { ...inputs, tuning: cluster.args.tuning ?? {}, ahead: ahead.hosts },
            { parent: this },
        );
        const hosts = this.hosts(cluster, certificates, provision);
        const generations = hosts.map((host) => host.generation);
        const membership = new EtcdMembership(
            `${cluster.name}-membership`,
            {
                ...membershipInputs(cluster, reached, certificates, generations),
                owner: provision.owner,
                inherited: inheritedBy(provision),
                ahead: ahead.members([provision.owner, ...generations]),
            },
            { parent: this, dependsOn: [provision, ...hosts] },
        );
        return { certificates, provision, membership };
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
}

interface Parts {
    readonly certificates: ClusterCertificates;
    readonly provision: EtcdProvision;
    readonly membership: EtcdMembership;
}

/** Whom the cluster trusted before, while it is taken over. */
function inheritedBy(provision: EtcdProvision): pulumi.Output<Authorities | undefined> {
    return provision.inherited.apply(unlessNobody);
}

/** A declared host and the way to it. */
interface ReachedHost {
    readonly name: string;
    readonly address: string;
    readonly peerPort: number;
    readonly clientPort: number;
    readonly ssh: pulumi.Output<SshTarget>;
}

function reachedHosts({ args, ports }: Settled): readonly ReachedHost[] {
    return args.hosts.map((host) => ({
        name: host.name,
        address: host.address,
        ...ports(host),
        ssh: sshTarget(resolveSsh(args.ssh, host)),
    }));
}

function provisionInputs(
    { name, args, paths, token, stack, timeouts, authorities }: Settled,
    hosts: readonly ReachedHost[],
    { signer }: ClusterCertificates,
): LateInputs<ProvisionInputs> {
    return {
        schemaVersion: 1,
        cluster: name,
        clusterToken: token,
        version: args.version,
        install: args.install,
        dataDir: paths.dataDir,
        firewall: args.firewall ?? true,
        ...(args.backup && { backup: true, backupSchedule: backupOf(args.backup).schedule }),
        deleteDataOnDestroy: args.deleteDataOnDestroy ?? false,
        ...(args.adopt && {
            adopt: {
                tuning: args.tuning ?? {},
                clientAddresses: (args.clients ?? []).flatMap((client) => client.addresses ?? []),
            },
        }),
        ...(!isSame(authorities, FIRST_AUTHORITY) && { authorities }),
        signer,
        stack,
        lockSeconds: timeouts.lockSeconds,
        commandSeconds: timeouts.commandSeconds,
        hosts,
    };
}

/** @param generations of the hosts in their order; none while it does not matter what lies there */
function membershipInputs(
    { name, args, token, stack, paths, release, maxLearners, timeouts }: Settled,
    hosts: readonly ReachedHost[],
    certificates: ClusterCertificates,
    generations: readonly pulumi.Output<string>[],
): LateInputs<MembershipInputs> {
    return {
        schemaVersion: 1,
        cluster: name,
        clusterToken: token,
        version: args.version,
        dataDir: paths.dataDir,
        releaseDir: release,
        stack,
        hosts: hosts.map((host, index) => ({ ...host, generation: generations[index] ?? "" })),
        ...(args.restore && { restore: args.restore }),
        maxLearners,
        allowEvenSize: args.allowEvenSize ?? false,
        firewall: args.firewall ?? true,
        deleteDataOnDestroy: args.deleteDataOnDestroy ?? false,
        access: args.access ?? "ssh",
        timeouts,
        credentials: certificates.operator,
    };
}
