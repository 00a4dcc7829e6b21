/** Hosts of the model: what is on their disks, what runs, and what their generations say. */
import { httpsUrl } from "../../../../components/host/settings";
import type { Id, Identity } from "../../../../components/membership/types";
import type { Theirs } from "./takeOver";

/**
 * How a generation's etcd behaves: as it should, never starting, or taking part without answering clients: a member makes its name known
 * and says that it is ready as soon as the raft takes its word, whatever may be wrong with its client port.
 */
export type Health = "fine" | "crashing" | "deaf";

export interface Revision {
    readonly health: Health;
    /** Undefined before etcd 3.6, which takes one learner. */
    readonly maxLearners: number | undefined;
    /** It trusts those of old as well, and leaves the certificates of members as they are. */
    readonly isTakingOver?: boolean;
    /** No generation of ours, but what was set up by hand. */
    readonly isTheirs?: boolean;
}

export interface Service {
    readonly generation: string;
    readonly peerUrl: string;
    /** Where it serves, and calls from. */
    readonly address: string;
    /** A unit of somebody else's runs it. */
    readonly isTheirs?: boolean;
    /** It has no certificate to call peers with. */
    readonly isPlain?: boolean;
    phase: "failing" | "joining" | "running";
    /** When the phase goes on: the next try, the end of joining. */
    dueAt: number;
    serveAt: number;
    readyAt: number;
    isReady: boolean;
}

/** One machine. What is on its disk outlives a power cut; a rebuild takes all. */
export class Machine {
    isPowered = true;
    isReachable = true;
    isFrozen = false;
    hasUnit = false;
    isEnabled = false;
    /** Its unit starts without data, until there is some. */
    mayStartEmpty = false;
    /** Its etcd ended by itself. */
    hasLeft = false;
    staged: string | undefined;
    current: string | undefined;
    /** What its membership file says; one that was emptied says nothing. */
    told: { initialCluster?: string; state?: "new" | "existing" } | undefined;
    identity: Identity | undefined;
    peers: readonly string[] | undefined;
    data:
        | { clusterId: Id; memberId: Id; index: number; isDamaged?: boolean; isTheirs?: boolean; isElsewhere?: boolean }
        | undefined;
    /** What was restored beside its data: from what, and as whom. */
    restored: string | undefined;
    theirs: Theirs | undefined;
    /** A take-over of it has begun, and not ended. */
    hasNote = false;
    /** Where our unit serves peers without TLS, whatever its generation says; "ending" while that is about to be over. */
    plainPeers: string | undefined;
    /** Whose state gave it its files. */
    owner: number | undefined;
    /** Its files were given to it to take over what is there. */
    isTakenOver = false;
    service: Service | undefined;
    /** What it has now, which may be more than one, or not the declared one. */
    addresses: readonly string[];
    /** All that it ever had, which no other machine gets. */
    everHad: readonly string[];
    /** What its certificate is for; replaced under a member that runs. */
    certified: string | undefined;

    constructor(
        /** As the program calls it; a host can be renamed. */
        public name: string,
        /** As the program declares it; a host can get another one. */
        public address: string,
        /** Where the program has its member serve peers. */
        public peerPort = 2380,
    ) {
        this.addresses = [address];
        this.everHad = [address];
    }

    /** What tells it from every other machine. */
    get id(): string {
        return this.everHad[0]!;
    }

    /** As the program declares it. */
    get peerUrl(): string {
        return httpsUrl(this.address, this.peerPort);
    }

    /** As its etcd was started. */
    get servedPeerUrl(): string | undefined {
        return this.service?.peerUrl;
    }

    /** What is laid down on it for one of the program's revisions. */
    generation(revision: number): string {
        const address = this.address === this.id ? "" : `@${this.address}`;
        return `${this.name}-r${revision}-p${this.peerPort}${address}`;
    }

    get clientUrl(): string {
        return `https://${this.address}:2379`;
    }

    /** A new disk. */
    rebuild(): void {
        Object.assign(this, new Machine(this.name, this.address, this.peerPort), {
            isPowered: this.isPowered,
            isReachable: this.isReachable,
            addresses: this.addresses,
            everHad: this.everHad,
        });
    }
}

export function portOf(generation: string): number {
    return Number(/-p(\d+)(@|$)/.exec(generation)![1]);
}

export function addressOf({ id }: Machine, generation: string): string {
    return /@(.+)$/.exec(generation)?.[1] ?? id;
}

export function nameOf(generation: string): string {
    return generation.slice(0, generation.lastIndexOf("-r"));
}

/** As a generation says. */
export function peerUrlOf(machine: Machine, generation: string): string {
    return httpsUrl(addressOf(machine, generation), portOf(generation));
}

/** A file of membership's overrides the generation, which says https from the beginning. */
export function servedBy(machine: Machine, generation: string): string {
    const { plainPeers } = machine;
    return plainPeers && plainPeers !== "ending" ? plainPeers : peerUrlOf(machine, generation);
}
