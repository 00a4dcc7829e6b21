import type { Input } from "@pulumi/pulumi";

/**
 * The arguments of {@link EtcdCluster}. Which hosts there are, and their names and addresses, are plain values: they decide which
 * resources exist. Secrets and what other resources produce may be late-known inputs.
 */
export interface EtcdClusterArgs {
    /** The etcd version that every member shall run, as `etcd --version` prints it: 3.4.4 or later, up to 3.7.
     * @example "3.6.16" */
    readonly version: string;

    /** Where the binaries come from. See {@link InstallSource}. */
    readonly install: InstallSource;

    /** The hosts that shall be members, in any order. The first one bootstraps a cluster that does not exist yet. */
    readonly hosts: readonly EtcdHostArgs[];

    /** How every host is reached; a host may override parts of it. */
    readonly ssh: SshArgs;

    /** Who may use the cluster, besides its members: each gets a client certificate and its addresses are let in.
     * @default no clients */
    readonly clients?: readonly ClientArgs[];

    /** The initial cluster token: unique for each cluster, fixed for its life; 1 to 128 letters, digits, dots, hyphens and underscores.
     * @default the component's name, a dot, and the stack's name */
    readonly clusterToken?: string;

    /** The port that serves clients, from 1024 up: etcd runs as a plain user.
     * @default 2379 */
    readonly clientPort?: number;

    /** The port that serves the other members, from 1024 up.
     * @default 2380 */
    readonly peerPort?: number;

    /** The directory that holds a member's data on its host: two levels deep or more, neither /var/lib itself
     * nor in the system's own places (/etc, /usr, /opt/etcd, …), nor below /home, /root, /run, /tmp or /var/tmp; of letters, digits, dots,
     * hyphens and underscores; not one that ends in .restored or .snapshots. For the cluster's life.
     * @default "/var/lib/etcd/<name>" */
    readonly dataDir?: string;

    /** etcd's log level.
     * @default "info" */
    readonly logLevel?: LogLevel;

    /** etcd's own options, under etcd's own names. Changing one restarts the members, one at a time.
     * @default etcd's defaults */
    readonly tuning?: EtcdTuning;

    /** Allow an even number of members, which survives no more losses than one member less.
     * @default false */
    readonly allowEvenSize?: boolean;

    /** How many learners may join at the same time, 1 to 100. etcd before 3.6 knows only one.
     * @default 2 from etcd 3.6 on, else 1 */
    readonly maxLearners?: number;

    /** How long to wait before giving up, in seconds.
     * @default see {@link TimeoutArgs} */
    readonly timeouts?: TimeoutArgs;

    /** How this program reaches etcd's API: through the SSH connection, or directly. The address of the machine that runs Pulumi must then
     * be among those of `clients`, unless there is no firewall.
     * @default "ssh" */
    readonly access?: "ssh" | "direct";

    /** Manage a firewall table (nftables) for the cluster's two ports. Other tables on a host keep their say in them.
     * @default true */
    readonly firewall?: boolean;

    /** Key algorithm and validity of the certificates.
     * @default see {@link CertificateArgs} */
    readonly certificates?: CertificateArgs;

    /**
     * Take over a cluster that runs already and that the state of this stack does not know: one whose state was lost, or one that was
     * set up by hand, with TLS or without. For as long as this is set, its members trust their old authorities and this stack's new
     * ones, and keep the certificates that they have; if they had none, clients may go on over http. Give clients their new
     * certificates, then take it away: members get new certificates, the old authorities are dropped, and so is http.
     * Not together with `restore`, nor with a rotation of `certificates.authorities`.
     * @default false: a cluster that this stack's state does not know is left alone */
    readonly adopt?: boolean;

    /**
     * Begin anew from a snapshot, when a cluster has lost its data or its quorum for good, or is to go back. It becomes a new logical
     * cluster: the snapshot is restored on the first declared host beside whatever it has; only then is every member of the old cluster
     * stopped and its data moved aside; the first host starts with what was restored, and all others join it. Hosts that are dead have
     * to be off the list. Once that is done, it is for hosts of the old cluster that come back: with it their data is moved
     * aside, without it they are refused. Not together with `adopt`.
     * @default undefined: nothing is restored */
    readonly restore?: RestoreArgs;

    /**
     * Each host backs up its own member by schedule: a snapshot, checked, in a file that `restore` takes. Changing it restarts nobody;
     * backups that are there stay, also when it is declared no more.
     * @default undefined: none is made
     * @example { schedule: "*-*-* 02:30", directory: "/srv/backup/etcd", keep: 30 } */
    readonly backup?: BackupArgs;

    /** Delete the data directories on `pulumi destroy` instead of moving them aside. Snapshots, backups and what was moved aside before stay.
     * @default false */
    readonly deleteDataOnDestroy?: boolean;
}

/** One machine that runs one member. */
export interface EtcdHostArgs {
    /** The member's name: 1 to 63 letters, digits, dots and hyphens, unique within the cluster in whatever case. Not "default", which etcd
     * has for members without a name, nor another machine's address. */
    readonly name: string;
    /** The IP address at which members and clients reach it. It is on one of the host's own interfaces: etcd listens there. */
    readonly address: string;
    /** What differs from the cluster's `ssh`.
     * @default the cluster's `ssh` as it is */
    readonly ssh?: Partial<SshArgs>;
    /** @default the cluster's `clientPort` */
    readonly clientPort?: number;
    /** @default the cluster's `peerPort` */
    readonly peerPort?: number;
}

/** Someone who uses the cluster. */
export interface ClientArgs {
    /** The common name of the client's certificate: 1 to 63 letters, digits, dots and hyphens, but not "pulumi-etcd-operator". */
    readonly name: string;
    /** Addresses or networks (CIDR, by their first address) that are let in to the client port.
     * @default none: the client gets a certificate only */
    readonly addresses?: readonly string[];
}

/** What a cluster begins anew from. */
export interface RestoreArgs {
    /** The path of a snapshot on the first declared host, as `etcdctl snapshot save` writes it. */
    readonly snapshot: string;
    /**
     * The id of the cluster that is given up, in hexadecimal: `clusterId` of the outputs, and in the error of a run that found no quorum. No
     * other cluster is ever given up.
     * @default undefined: the hosts, and this stack's state, know of none */
    readonly replaces?: string;
}

/** When and where hosts back up their members. */
export interface BackupArgs {
    /** As systemd's `OnCalendar=` takes it (systemd.time(7)), in the host's time zone unless it names one. One that was due while the host
     * was off is made when it is back.
     * @default "daily": at midnight */
    readonly schedule?: string;
    /** A directory on each host; a backup is `<directory>/<cluster>/<host's name>/<UTC time>.db`. It is made if it is missing, and may be
     * another file system. Neither within `dataDir` nor around it, nor in the places where `dataDir` may not be.
     * @default "/srv/backup/etcd" */
    readonly directory?: string;
    /** How many of its own backups each host keeps, 1 or more.
     * @default 14 */
    readonly keep?: number;
}

/**
 * How a host is logged in to. One of `privateKey`, `agentSocket` and `password` is needed, and the first two exclude each other: a host's or
 * a bastion's own takes the place of what is around it, with its passphrase. What is undefined counts as not said.
 */
export interface SshArgs {
    /** @default "root" */
    readonly user?: string;
    /** @default 22 */
    readonly port?: number;
    /** A private key in OpenSSH or PEM form. */
    readonly privateKey?: Input<string>;
    /** The private key's passphrase. */
    readonly passphrase?: Input<string>;
    /** The user's password. */
    readonly password?: Input<string>;
    /** The socket of an SSH agent. One of a login's own, as `SSH_AUTH_SOCK` has it, may be another one each time, and stays the same setting. */
    readonly agentSocket?: string;
    /** The password that `sudo` asks a user who is not root for.
     * @default sudo asks for none */
    readonly sudoPassword?: Input<string>;
    /**
     * Host keys, by host name: `{ a: "ssh-ed25519 AAAA…" }`. Give all keys of a host that has several: `@pulumi/command` checks one
     * key only, and is given the one of ECDSA, else of Ed25519, else of RSA, with which some of its releases do not get in. A key that a
     * host has no more has to go: it is refused, before anything is changed, where it is the one that would be checked.
     */
    readonly hostKeys?: Readonly<Record<string, string | readonly string[]>>;
    /** The text of an OpenSSH `known_hosts` file, looked up by address and by name. */
    readonly knownHosts?: string;
    /** Log in without checking host keys. Whoever stands in between can then read and change everything.
     * @default false */
    readonly insecureSkipHostKeyCheck?: boolean;
    /** A host through which the others are reached; `false` for one that is reached without. */
    readonly bastion?: BastionArgs | false;
    /** From the first packet to the login, 1 to 600. @default 15 */
    readonly connectTimeoutSeconds?: number;
}

/** A host to jump through. Its user, its credentials and the time-out are those of the `ssh` around it, unless it says otherwise. */
export interface BastionArgs {
    readonly address: string;
    readonly user?: string;
    /** @default 22 */
    readonly port?: number;
    readonly privateKey?: Input<string>;
    readonly passphrase?: Input<string>;
    readonly password?: Input<string>;
    readonly agentSocket?: string;
    /** The bastion's own key, `"ssh-ed25519 AAAA…"`.
     * @default looked up in `knownHosts` */
    readonly hostKey?: string;
}

/**
 * Where etcd's binaries come from: the distribution's package, or a release archive (`etcd-v3.6.16-linux-amd64.tar.gz`, as etcd
 * publishes them; an uncompressed `.tar` serves as well) that lies beside the program or behind a URL the host can reach.
 */
export type InstallSource =
    | { readonly source: "debian" }
    | {
          readonly source: "file";
          /** Path on the machine that runs Pulumi. */ readonly path: string;
          /** Of the archive, in hexadecimal. */ readonly sha256: string;
      }
    | {
          readonly source: "url";
          /** https:// or http://, fetched by each host. */ readonly url: string;
          /** Of the archive, in hexadecimal. */ readonly sha256: string;
      };

export type LogLevel = "debug" | "info" | "warn" | "error";

/** etcd's tuning flags. Units are etcd's: milliseconds, bytes, or counts. */
export interface EtcdTuning {
    /** Milliseconds, 10000 at most. */
    readonly heartbeatInterval?: number;
    /** Milliseconds. At least five times `heartbeatInterval`, at most 50000. */
    readonly electionTimeout?: number;
    /** Changes between two snapshots of Raft's log. */
    readonly snapshotCount?: number;
    /** Bytes. */
    readonly quotaBackendBytes?: number;
    /** Bytes. */
    readonly maxRequestBytes?: number;
    /** Operations in one transaction. */
    readonly maxTxnOps?: number;
    /** Files of snapshots that are kept. */
    readonly maxSnapshots?: number;
    /** Files of the write-ahead log that are kept. */
    readonly maxWals?: number;
    /** What `autoCompactionRetention` counts. */
    readonly autoCompactionMode?: "periodic" | "revision";
    /** Hours, a duration such as "10m", or a number of revisions, by mode. */
    readonly autoCompactionRetention?: string;
}

/** Deadlines, in whole seconds up to 86400 (a day), from 1 but for `lockSeconds`. */
export interface TimeoutArgs {
    /**
     * A member answers after it was started. Where all are started at once, each waits for 7 s for every other one before it takes part:
     * it compares its data with theirs. @default 10 for each host, 30 at least
     */
    readonly healthSeconds?: number;
    /** A learner has caught up. @default 300 */
    readonly syncSeconds?: number;
    /** etcd accepts the next change of voters. @default 30 */
    readonly changeSeconds?: number;
    /** Another run gives the lock back. 0 fails at once. @default 0 */
    readonly lockSeconds?: number;
    /**
     * One command on a host. What may take long has a limit of its own: an installation 900, a snapshot or a restore 600, laying down or
     * removing files 180, a restart 30 more than `healthSeconds`. @default 60
     */
    readonly commandSeconds?: number;
}

/** How certificates are made. An authority stays as it was made; what is declared later is for new ones and for the others. */
export interface CertificateArgs {
    /**
     * The cluster's authorities, one to three, by number. The first signs all certificates, and members trust all of them. One that is
     * new is made, one that is declared no more is destroyed. They are rotated in three edits, each followed by `pulumi up`:
     *
     * - `[1, 2]`: members are restarted one at a time, and trust both from then on. Give clients the new `ca`.
     * - `[2, 1]`: all certificates are made anew, by 2; nobody is restarted. Give clients their new certificates.
     * - `[2]`: members are restarted one at a time, and trust 2 alone.
     *
     * A step that is left out is refused. Take the next number for a new one: a number that was declared no more makes another authority.
     * Only `[1]` while `adopt` is set.
     * @default [1] */
    readonly authorities?: readonly number[];
    /** @default "ECDSA-P256" */
    readonly algorithm?: "ECDSA-P256" | "ECDSA-P384" | "RSA-2048" | "RSA-4096" | "ED25519";
    /** Of authorities that are new. Not less than `validityHours`. @default 87600 (ten years) */
    readonly caValidityHours?: number;
    /** Of all other certificates. @default 8760 (one year) */
    readonly validityHours?: number;
    /** A leaf certificate is renewed by the first `pulumi up` within this time before its end. Less than `validityHours`; 0: after it.
     * @default 720 (30 days) */
    readonly earlyRenewalHours?: number;
}
