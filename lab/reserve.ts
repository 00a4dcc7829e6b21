import { isIPv4 } from "node:net";

import { succeed } from "./command";
import { uplinkName } from "./network";
import { allHosts, subnetOf, validateHost } from "./spec";
import type { LabHostSpec, LabSpec } from "./spec";
import { listEnvironments, readEnvironment } from "./state";
import type { EnvironmentRecord, HostRecord } from "./state";

/**
 * What an environment is to be: what it is, and the hosts of the spec that it lacks.
 * @throws when the spec contradicts what is there, or an address is taken
 */
export async function extendRecord(spec: LabSpec, image: string): Promise<EnvironmentRecord> {
    const existing = readEnvironment(spec.environment);
    if (existing) refuseContradiction(existing, spec);
    const known = existing?.hosts ?? [];
    const added = allHosts(spec).filter(({ name }) => !known.some((host) => host.name === name));
    if (existing && added.length === 0) return existing;
    const taken = takenAddresses(spec.environment);
    const gateway = existing?.gateway ?? freeGateway(allHosts(spec), new Set(taken.map(({ address }) => address)));
    await refuseTakenAddresses(spec.environment, [...added.map(({ address }) => address), gateway], added);
    const hosts: HostRecord[] = [...known, ...added.map((host) => ({ ...host, image, extraAddresses: [] }))];
    const bastion = existing?.bastion ?? spec.bastion?.name;
    return {
        schemaVersion: 1,
        environment: spec.environment,
        image: existing?.image ?? spec.image ?? "bookworm",
        storage: existing?.storage ?? spec.storage ?? "disk",
        gateway,
        hosts,
        ...(bastion === undefined ? {} : { bastion }),
    };
}

/**
 * The environment with one more address for a host that it has.
 * @throws when the address is taken
 */
export async function withExtraAddress(
    environment: string,
    hostName: string,
    address: string,
): Promise<EnvironmentRecord> {
    const record = readEnvironment(environment);
    const host = record?.hosts.find(({ name }) => name === hostName);
    if (!record || !host) throw new Error(`environment "${environment}" has no host "${hostName}"`);
    if ([host.address, ...host.extraAddresses].includes(address)) return record;
    const added = { name: hostName, address };
    validateHost(added);
    refuseContradiction(record, { environment, hosts: [{ name: `${hostName} (extra)`, address }] });
    await refuseTakenAddresses(environment, [address], [added]);
    const grown = { ...host, extraAddresses: [...host.extraAddresses, address] };
    return { ...record, hosts: record.hosts.map((other) => (other === host ? grown : other)) };
}

/**
 * The environment with another address in the place of a host's own; the old one is free then.
 * @throws when the address is taken
 */
export async function withOtherAddress(
    environment: string,
    hostName: string,
    address: string,
): Promise<EnvironmentRecord> {
    const record = await withExtraAddress(environment, hostName, address);
    const hosts = record.hosts.map((host) => {
        if (host.name !== hostName) return host;
        return { ...host, address, extraAddresses: host.extraAddresses.filter((extra) => extra !== address) };
    });
    return { ...record, hosts };
}

function refuseContradiction(existing: EnvironmentRecord, spec: LabSpec): void {
    const wayOut = `; bring environment "${spec.environment}" down first`;
    if (spec.image !== undefined && spec.image !== existing.image) {
        throw new Error(`image "${spec.image}" is wanted where "${existing.image}" is in use${wayOut}`);
    }
    if (spec.storage !== undefined && spec.storage !== existing.storage) {
        throw new Error(`storage "${spec.storage}" is wanted where "${existing.storage}" is in use${wayOut}`);
    }
    if (spec.bastion !== undefined && spec.bastion.name !== existing.bastion) {
        throw new Error(`bastion "${spec.bastion.name}" is wanted where ${bastionText(existing)}${wayOut}`);
    }
    for (const wanted of allHosts(spec)) {
        if (wanted.address === existing.gateway) throw gatewayError(wanted, wayOut);
        const byAddress = existing.hosts.find((host) =>
            [host.address, ...host.extraAddresses].includes(wanted.address),
        );
        if (byAddress && byAddress.name !== wanted.name) {
            throw new Error(
                `host "${wanted.name}" is to have ${wanted.address}, which host "${byAddress.name}" has${wayOut}`,
            );
        }
        const byName = existing.hosts.find((host) => host.name === wanted.name);
        if (byName && byName.address !== wanted.address) {
            throw new Error(`host "${wanted.name}" is to have ${wanted.address} and has ${byName.address}${wayOut}`);
        }
    }
}

function bastionText(existing: EnvironmentRecord): string {
    return existing.bastion === undefined ? "there is none" : `"${existing.bastion}" is one`;
}

function gatewayError(wanted: LabHostSpec, wayOut: string): Error {
    return new Error(
        `host "${wanted.name}" is to have ${wanted.address}, which this machine has in the environment${wayOut}`,
    );
}

/** The first usable address of the first host's network that is free: .1, else .254, .253 and so on. */
export function freeGateway(hosts: readonly LabHostSpec[], taken: ReadonlySet<string> = new Set()): string {
    const first = hosts[0];
    if (!first) throw new Error("no hosts: an environment needs at least one");
    const prefix = subnetOf(first.address).replace("0/24", "");
    const declared = new Set(hosts.map(({ address }) => address));
    const candidates = [1, ...Array.from({ length: 253 }, (_, index) => 254 - index)].map((last) => `${prefix}${last}`);
    const free = candidates.find((address) => !declared.has(address) && !taken.has(address));
    if (!free) throw new Error(`no address is left for this machine in ${prefix}0/24`);
    return free;
}

interface TakenAddress {
    readonly address: string;
    readonly environment: string;
}

/** The addresses of all other environments. */
function takenAddresses(environment: string): readonly TakenAddress[] {
    return listEnvironments()
        .filter((other) => other !== environment)
        .flatMap((other) => {
            const record = readEnvironment(other);
            if (!record) return [];
            const addresses = record.hosts.flatMap((host) => [host.address, ...host.extraAddresses]);
            return [record.gateway, ...addresses].map((address) => ({ address, environment: other }));
        });
}

async function refuseTakenAddresses(
    environment: string,
    addresses: readonly string[],
    hosts: readonly LabHostSpec[],
): Promise<void> {
    const taken = takenAddresses(environment);
    const clash = addresses.flatMap((address) => taken.find((other) => other.address === address) ?? [])[0];
    if (clash) {
        throw new Error(
            `${owner(clash.address, hosts)} ${clash.address} is taken by environment "${clash.environment}": bring that down, or use another`,
        );
    }
    for (const { network, device } of await connectedNetworks()) {
        if (device === uplinkName(environment)) continue;
        const clash = addresses.find((address) => containsAddress(network, address));
        if (clash) {
            throw new Error(
                `${owner(clash, hosts)} ${clash} is in ${network}, which this machine reaches by ${device}: use another`,
            );
        }
    }
}

function owner(address: string, hosts: readonly LabHostSpec[]): string {
    const host = hosts.find((candidate) => candidate.address === address);
    return host ? `address of host "${host.name}"` : "address of this machine";
}

interface Route {
    readonly network: string;
    readonly device: string;
}

/** What this machine is in itself, and its own addresses; networks behind a gateway are not looked at. */
async function connectedNetworks(): Promise<readonly Route[]> {
    const text = await succeed("ip", ["-4", "-json", "route", "show", "table", "all"]);
    const routes = JSON.parse(text) as { dst: string; dev?: string; gateway?: string }[];
    return routes
        .filter(
            ({ dst, dev, gateway }) =>
                dst !== "default" && dev !== undefined && gateway === undefined && !/^lab[0-9a-f]{10}$/.test(dev),
        )
        .map(({ dst, dev }) => ({ network: dst.includes("/") ? dst : `${dst}/32`, device: dev ?? "" }))
        .filter(({ network }) => isIPv4(network.split("/")[0] ?? ""));
}

/** Whether a network such as `10.0.0.0/8` contains the address. */
export function containsAddress(network: string, address: string): boolean {
    const [base = "", length = "32"] = network.split("/");
    const size = 2 ** (32 - Number(length));
    return Math.floor(toNumber(base) / size) === Math.floor(toNumber(address) / size);
}

function toNumber(address: string): number {
    return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}
