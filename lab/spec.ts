import { isIPv4 } from "node:net";

export type LabImage = "bookworm" | "trixie";
export const LAB_IMAGES: readonly LabImage[] = ["bookworm", "trixie"];

export interface LabHostSpec {
    /** Host name, at most 63 characters. */
    readonly name: string;
    /** IPv4 address. */
    readonly address: string;
    /**
     * Size of a disk of its own for /var/lib, in MiB, at least 64.
     * @default none: /var/lib is on the machine's disk, as large as that is
     */
    readonly diskMegabytes?: number;
}

export interface LabSpec {
    /** Name of the environment; a stack's name. Hosts of different environments cannot reach each other. */
    readonly environment: string;
    readonly hosts: readonly LabHostSpec[];
    /** @default "bookworm" (Debian 12) */
    readonly image?: LabImage;
    /** A further host. With it, the machine itself reaches no other host directly, only through this one. */
    readonly bastion?: LabHostSpec;
    /**
     * Where hosts keep what they write: on the machine's disk, with real fsync, or in its memory.
     * @default "disk"
     */
    readonly storage?: LabStorage;
}

export type LabStorage = "disk" | "memory";

const ENVIRONMENT_NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
/** What else lies where environments have their directories. */
const OTHER_DIRECTORIES = ["locks", "releases", "state"];
const HOST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const SMALLEST_DISK_MEGABYTES = 64;

export function allHosts(spec: Pick<LabSpec, "hosts" | "bastion">): readonly LabHostSpec[] {
    return spec.bastion ? [...spec.hosts, spec.bastion] : spec.hosts;
}

/** Throws on the first thing wrong with a spec. */
export function validateSpec(spec: LabSpec): void {
    validateEnvironmentName(spec.environment);
    if (spec.image !== undefined && !LAB_IMAGES.includes(spec.image)) {
        throw new Error(`image "${String(spec.image)}" is unknown: use one of ${LAB_IMAGES.join(", ")}`);
    }
    const names = new Set<string>();
    const addresses = new Set<string>();
    for (const host of allHosts(spec)) {
        validateHost(host);
        if (names.has(host.name)) throw new Error(`host "${host.name}" is declared twice: give each host its own name`);
        if (addresses.has(host.address)) {
            throw new Error(
                `address ${host.address} is declared twice, last by host "${host.name}": give each its own`,
            );
        }
        names.add(host.name);
        addresses.add(host.address);
    }
}

export function validateEnvironmentName(name: string): void {
    if (OTHER_DIRECTORIES.includes(name))
        throw new Error(`environment "${name}" is no valid name: something else is kept under it; use another`);
    if (ENVIRONMENT_NAME.test(name)) return;
    throw new Error(
        `environment "${name}" is no valid name: use at most 40 of a-z, 0-9 and "-", and no "-" at either end`,
    );
}

export function validateHost(host: LabHostSpec): void {
    if (!HOST_NAME.test(host.name) || host.name.length > 63) {
        throw new Error(`host "${host.name}" has no valid name: use at most 63 of a-z, 0-9, "-" and "."`);
    }
    if (!isUsableAddress(host.address)) {
        throw new Error(`host "${host.name}" has address "${host.address}", which is no IPv4 address of a host`);
    }
    if (host.diskMegabytes !== undefined && !(host.diskMegabytes >= SMALLEST_DISK_MEGABYTES)) {
        throw new Error(
            `host "${host.name}" asks for a disk of ${host.diskMegabytes} MiB: at least ${SMALLEST_DISK_MEGABYTES} are needed`,
        );
    }
}

function isUsableAddress(address: string): boolean {
    if (!isIPv4(address)) return false;
    const [first = 0, , , last = 0] = address.split(".").map(Number);
    return first > 0 && first < 224 && first !== 127 && last > 0 && last < 255;
}

/** The /24 that an address is in: what a lab host takes for its own network. */
export function subnetOf(address: string): string {
    return `${address.split(".").slice(0, 3).join(".")}.0/24`;
}
