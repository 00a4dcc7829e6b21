import type { Authorities } from "../adoption/authorities";
import type { EtcdTuning, InstallSource } from "../args";
import type { SshTarget } from "../remote/target";

/** One host, as the program declares it. */
export interface ProvisionHost {
    readonly name: string;
    readonly address: string;
    readonly peerPort: number;
    readonly clientPort: number;
    readonly ssh: SshTarget;
}

/** What is declared for a cluster that is taken over, to be compared with what is found. */
export interface TakeoverInputs {
    readonly tuning: EtcdTuning;
    /** Addresses and networks that will be let in. */
    readonly clientAddresses: readonly string[];
}

export interface ProvisionInputs {
    /** Of this shape. Handlers accept every older one. */
    readonly schemaVersion: 1;
    readonly cluster: string;
    readonly clusterToken: string;
    readonly version: string;
    readonly install: InstallSource;
    readonly dataDir: string;
    readonly firewall: boolean;
    /** Hosts are given units that back up their members. @default undefined: none */
    readonly backup?: boolean;
    /** What the hosts' systemd is to understand. @default undefined: it is not asked */
    readonly backupSchedule?: string;
    readonly deleteDataOnDestroy: boolean;
    /** For others to read who holds the cluster's lock. */
    readonly stack?: string;
    /** How long to wait for another run. */
    readonly lockSeconds?: number;
    /** How long a command on a host may take. @default 60 */
    readonly commandSeconds?: number;
    readonly hosts: readonly ProvisionHost[];
    /** By host name: goes up when a host has lost the files that it was given. Settled by check. */
    readonly incarnations?: Readonly<Record<string, string>>;
    /** Take over what this state does not know. @default undefined: what is there is left alone */
    readonly adopt?: TakeoverInputs;
    /** What a cluster that is taken over trusted before: found on its hosts, and kept for as long as `adopt` is set; nobody otherwise. Settled by check. */
    readonly inherited?: Authorities;
    /** The numbers of the authorities: the first signs, all are trusted. @default [1] */
    readonly authorities?: readonly number[];
    /** The certificates of those who sign. @default undefined: not compared with whom members trust */
    readonly signer?: Authorities;
    /** Made at random with the resource: by it hosts tell this stack's state from another's. Settled by check. */
    readonly owner?: string;
}

/** What the program hands over. */
export interface ProvisionArgs extends ProvisionInputs {
    /** Nothing will be done about what is found. Not kept: it would make each `up` differ from its preview. */
    readonly isPreview: boolean;
    /** What figures are judged by. Not kept: another one is none of this resource's business. */
    readonly tuning?: EtcdTuning;
    /** What the program has just seen: `Sight`s in the order of the hosts, packed. Not kept. */
    readonly ahead?: string | undefined;
}

/** What is kept is what was put in. */
export type ProvisionState = ProvisionInputs;

/** What this state was given before: no hosts at first. */
export type Before = Pick<ProvisionState, "hosts" | "authorities">;
