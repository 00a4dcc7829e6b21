/** The plain values that the protocol is made of: what is wanted, what is seen, and what to do next. */
import type { SshTarget } from "../remote/target";

/** 64-bit identities (member, cluster) as lower-case hexadecimal, as etcd's logs print them. */
export type Id = string;

/** A host as the program declares it, or as an earlier run knew it. */
export interface WantedHost {
    /** What steps and observations call it: its name, or name@address where a retired host shares its name with another. */
    readonly key: string;
    readonly name: string;
    readonly address: string;
    readonly peerUrl: string;
    readonly clientUrl: string;
    readonly peerPort: number;
    readonly clientPort: number;
    readonly ssh: SshTarget;
    /** Digest of the generation that the host was given; undefined while it can't be known (preview). */
    readonly generation: string | undefined;
}

/** What shall be. */
export interface Desired {
    readonly cluster: string;
    readonly clusterToken: string;
    readonly dataDir: string;
    /** Where this version's binaries are on a host. */
    readonly releaseDir: string;
    readonly version: string;
    /** In the declared order: the first one bootstraps. */
    readonly hosts: readonly WantedHost[];
    /** Hosts that an earlier run managed and that are declared no more. */
    readonly retired: readonly WantedHost[];
    /** The id of the cluster that an earlier run built or took over. */
    readonly knownClusterId: Id | undefined;
    /** There is a cluster that others built, which is taken over. @default false */
    readonly isTakingOver?: boolean;
    /** What the cluster is to begin anew from. */
    readonly restore?: Restore | undefined;
    readonly maxLearners: number;
    readonly allowEvenSize: boolean;
    readonly firewall: boolean;
    readonly timeouts: Timeouts;
}

/** A cluster begins anew, from a snapshot. */
export interface Restore {
    /** Its path on the host that founds. */
    readonly snapshot: string;
    /** The cluster that is given up for it; undefined where there was none. */
    readonly replaces?: Id | undefined;
    /** An earlier run built that one, or took it over. */
    readonly isKnown: boolean;
}

export interface Timeouts {
    readonly healthSeconds: number;
    readonly syncSeconds: number;
    readonly changeSeconds: number;
    readonly lockSeconds: number;
    readonly commandSeconds: number;
}

/** What one host shows over SSH. */
export interface HostSeen {
    readonly name: string;
    readonly reach: { readonly ok: true } | { readonly ok: false; readonly reason: string };
    readonly unit: "active" | "activating" | "failed" | "inactive" | "absent";
    readonly isEnabled: boolean;
    /** Digests: laid down last, started next, running now. */
    readonly staged: string | undefined;
    readonly current: string | undefined;
    readonly running: string | undefined;
    /** Of etcd, as its running generation says. */
    readonly version?: string | undefined;
    /** As what and where its running generation serves; undefined where nothing of ours runs. */
    readonly serving: Serving | undefined;
    /** Where the generation that was laid down last will serve peers. Its certificates are for that address, and in place. */
    readonly stagedPeerUrl?: string | undefined;
    /** Where the next start will serve peers. */
    readonly currentPeerUrl?: string | undefined;
    /** What tells the machine from every other, whatever address it is reached at. */
    readonly machine: string | undefined;
    /** How many learners at once the running generation takes; undefined where the version has no such setting, or nothing of ours runs. */
    readonly maxLearners: number | undefined;
    /** Its etcd ended by itself and without a fault, as it does when its member was removed: its data is of no more use. */
    readonly hasLeft: boolean;
    /** There is a write-ahead log: what a start would go on from. */
    readonly hasData: boolean;
    /** What was restored there, from what and as whom, and is not put in the place of the data yet. */
    readonly restored?: string | undefined;
    /** Its unit would start without one: it has been told to found the cluster or to join. */
    readonly mayStartEmpty: boolean;
    /** It does not run, and its last start found that the log is not what it once wrote. */
    readonly isDamaged?: boolean;
    /** What membership noted beside the data directory. */
    readonly identity: Identity | undefined;
    readonly initialCluster: string | undefined;
    readonly initialClusterState: "new" | "existing" | undefined;
    /** Addresses that the firewall lets in to the peer port. */
    readonly peersLetIn: readonly string[];
    /** The member's own answer on its client port. */
    readonly status: MemberStatus | undefined;
    /** What runs there was set up by hand, and is to be taken over. `unit` and `isEnabled` are of no meaning then. */
    readonly foreign?: ForeignSeen | undefined;
    /** Its peer port has no TLS yet, or had none when an interrupted run was about to change that. */
    readonly hasPlainPeers?: boolean;
    /** Why no way leads from here to the client port of a member that said it is ready: nothing is known of that one. */
    readonly barred?: string | undefined;
    /** It exchanges messages with the leader: a learner that has started is seen here before it answers clients. */
    readonly servesPeers: boolean;
    /** A learner that the leader hears, and can't call where the list has it. */
    readonly isUncallable?: boolean;
}

/** What a generation says about its member. */
export interface Serving {
    readonly name: string;
    readonly peerUrl: string;
    readonly clientUrl: string;
}

/** A member that a unit of somebody else's runs, or ran until its take-over began. */
export interface ForeignSeen {
    readonly unit: string;
    readonly dataDir: string;
    readonly isRunning: boolean;
    /** Its certificates, by the names that ours has for them. */
    readonly leaves: Readonly<Record<string, string>>;
    /** It has no TLS, neither for clients nor for peers. */
    readonly isPlain?: boolean;
}

export interface Identity {
    readonly clusterToken: string;
    /** Undefined from just before the first start until the cluster answered. */
    readonly clusterId: Id | undefined;
    readonly memberId: Id | undefined;
}

export interface MemberStatus {
    readonly memberId: Id;
    readonly clusterId: Id;
    readonly leaderId: Id | undefined;
    readonly raftIndex: number;
    readonly isLearner: boolean;
    readonly version: string;
    readonly dbSizeBytes: number;
    /** It answers a linearizable read (a learner can't, and is not asked). */
    readonly isHealthy: boolean;
    /** Its users and roles are on. Asked only of one that runs 3.4 and is to run a later series. @default false */
    readonly hasUsers?: boolean;
}

/** One entry of etcd's member list. */
export interface Member {
    readonly id: Id;
    /** Empty until it has started once. */
    readonly name: string;
    readonly peerUrls: readonly string[];
    readonly clientUrls: readonly string[];
    readonly isLearner: boolean;
}

export interface ClusterSeen {
    readonly clusterId: Id;
    readonly leaderId: Id | undefined;
    readonly members: readonly Member[];
    readonly alarms: readonly { readonly memberId: Id; readonly alarm: string }[];
    /** The leader did not say with whom it exchanges messages: that a member is not heard means nothing. */
    readonly isLeaderMute?: true;
}

/** The world as one observation found it: a plain value. */
export interface Observation {
    readonly hosts: Readonly<Record<string, HostSeen>>;
    /** The member list, read linearizably; undefined when no member with a quorum answers. */
    readonly cluster: ClusterSeen | undefined;
}

/** One action. Each is idempotent, and each can be the last one that a run lives to take. */
export type Action =
    /** Lays down what a snapshot holds beside the data directory, for a cluster of one on this host. */
    | { readonly kind: "restore-snapshot"; readonly host: string; readonly snapshot: string }
    /** @param snapshot what was restored before, and is what it starts with; undefined for an empty cluster */
    | { readonly kind: "bootstrap"; readonly host: string; readonly snapshot?: string }
    | { readonly kind: "let-in"; readonly hosts: readonly string[]; readonly addresses: readonly string[] }
    /** Links to the staged generation and puts its unit in place, starting nothing. */
    | { readonly kind: "activate"; readonly hosts: readonly string[] }
    | { readonly kind: "add-learner"; readonly host: string; readonly peerUrl: string }
    | { readonly kind: "join"; readonly host: string; readonly memberId: Id; readonly initialCluster: string }
    | { readonly kind: "start"; readonly host: string }
    | {
          readonly kind: "update-peer";
          readonly host: string;
          readonly memberId: Id;
          readonly from: string;
          readonly to: string;
      }
    | { readonly kind: "promote"; readonly host: string; readonly memberId: Id }
    | { readonly kind: "move-leader"; readonly from: string; readonly to: string; readonly toId: Id }
    | {
          readonly kind: "remove";
          readonly name: string;
          readonly memberId: Id;
          /** The host that keeps a verified snapshot; undefined for a learner, which holds nothing of its own. */
          readonly snapshotOn: string | undefined;
      }
    | { readonly kind: "retire"; readonly host: string }
    | { readonly kind: "set-aside"; readonly host: string }
    | { readonly kind: "record"; readonly hosts: readonly string[]; readonly initialCluster: string }
    | {
          readonly kind: "restart";
          readonly host: string;
          readonly generation: string;
          /** It leaves a series of etcd, and keeps a verified snapshot of before. @default false */
          readonly takesSnapshot?: boolean;
      }
    /** A restart with TLS on the peer port, which had none. */
    | { readonly kind: "secure-peers"; readonly host: string }
    | {
          readonly kind: "take-over";
          readonly host: string;
          /** What runs it until then. */
          readonly unit: string;
          readonly initialCluster: string;
      };

export type Step = Action & { readonly because: string };

/** What the planner has to say about an observation. */
export type Verdict =
    | { readonly verdict: "step"; readonly step: Step }
    | Wait
    | { readonly verdict: "refuse"; readonly error: string }
    | { readonly verdict: "done" };

export interface Wait {
    readonly verdict: "wait";
    readonly until: string;
    readonly deadlineSeconds: number;
    readonly hosts: readonly string[];
    /** A last resort, for when it does not come true. */
    readonly otherwise?: Step;
    /** What the operator can do then. */
    readonly remedy?: string;
}

/** One concern of the planner: says what to do next, or nothing. */
export type Rule = (world: World) => Verdict | undefined;

/** What a rule looks at. */
export interface World {
    readonly wanted: Desired;
    readonly seen: Observation;
}
