/** Where a cluster's things live on its hosts. Several clusters share a host without touching each other's. */
export interface HostPaths {
    /** `etcd-<cluster>`: the systemd unit, without `.service`. */
    readonly unit: string;
    /** The unit that loads the firewall table, before etcd starts. */
    readonly firewallUnit: string;
    readonly unitFile: string;
    readonly firewallUnitFile: string;
    /** Brings the table back whenever the host's own `nftables.service` has flushed all tables. */
    readonly firewallDropIn: string;
    /** The units that back up the member, without `.service` and `.timer`. */
    readonly backupUnit: string;
    readonly backupUnitFile: string;
    readonly backupTimerFile: string;
    /** Root of everything below; root:etcd 0750. */
    readonly root: string;
    /** Says that `root` is ours, and which cluster's: the host's. */
    readonly mark: string;
    /** One directory per generation, named by its digest. */
    readonly generations: string;
    /** Link to the generation that the next start runs: membership's. */
    readonly current: string;
    /** The digest of the generation that was staged last: the host's. */
    readonly staged: string;
    /** What was laid down last, with owner, mode and digest of each file: the host's. */
    readonly manifest: string;
    /** There while files are laid down, until they are all there; gone at reboot: the host's. */
    readonly staging: string;
    /** Copies of the files that hold no secrets, to show the difference if one is changed by hand: the host's. */
    readonly asStaged: string;
    /** Leaf certificates and keys; replaced by rename, outside generations. */
    readonly pki: string;
    /** `ETCD_INITIAL_CLUSTER` and its state: membership's. */
    readonly membershipEnv: string;
    /** Keeps the peer port without TLS while a cluster without TLS is taken over: membership's. */
    readonly plainPeers: string;
    /** What it is called while its member is restarted without it. */
    readonly plainPeersEnding: string;
    /** What cluster the data directory belongs to: membership's. */
    readonly identity: string;
    /** Lets etcd start once without data: membership's; gone as soon as there is data. */
    readonly mayStartEmpty: string;
    /** The firewall table. */
    readonly firewall: string;
    /** Backs up the member. */
    readonly backupScript: string;
    /** Names of the backups that were made here. */
    readonly backupsMade: string;
    /** The set of peers that the firewall lets in: membership's. */
    readonly peers: string;
    readonly firewallTable: string;
    readonly dataDir: string;
    /** What a snapshot holds, as a data directory, until it is put in the place of the data: membership's. */
    readonly restored: string;
    /** The same where the data directory is a file system of its own. */
    readonly restoredWithin: string;
    /** Gone at reboot: which generation runs. */
    readonly runtime: string;
    /** Where release archives are unpacked, one directory per archive. */
    readonly releases: string;
}

export function hostPaths(cluster: string, dataDir = `/var/lib/etcd/${cluster}`): HostPaths {
    const unit = `etcd-${cluster}`;
    const root = `/etc/etcd/${cluster}`;
    return {
        unit,
        firewallUnit: `${unit}-firewall`,
        unitFile: `/etc/systemd/system/${unit}.service`,
        firewallUnitFile: `/etc/systemd/system/${unit}-firewall.service`,
        firewallDropIn: `/etc/systemd/system/nftables.service.d/${unit}.conf`,
        backupUnit: `${unit}-backup`,
        backupUnitFile: `/etc/systemd/system/${unit}-backup.service`,
        backupTimerFile: `/etc/systemd/system/${unit}-backup.timer`,
        root,
        mark: `${root}/managed`,
        generations: `${root}/generations`,
        current: `${root}/current`,
        staged: `${root}/staged`,
        manifest: `${root}/manifest`,
        staging: `/run/pulumi-etcd-staging-${cluster}`,
        asStaged: `${root}/as-staged`,
        pki: `${root}/pki`,
        membershipEnv: `${root}/membership.env`,
        plainPeers: `${root}/plain-peers.env`,
        plainPeersEnding: `${root}/plain-peers.ending`,
        identity: `${root}/identity`,
        mayStartEmpty: `${root}/may-start-empty`,
        firewall: `${root}/firewall.nft`,
        backupScript: `${root}/backup.sh`,
        backupsMade: `/var/lib/${unit}-backup/made`,
        peers: `${root}/peers.nft`,
        firewallTable: unit.replace(/[^a-zA-Z0-9]/g, "_"),
        dataDir,
        restored: `${dataDir}.restored`,
        restoredWithin: `${dataDir}/restored`,
        runtime: `/run/${unit}`,
        releases: "/opt/etcd",
    };
}
