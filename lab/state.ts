import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { LabHostSpec, LabImage, LabStorage } from "./spec";

/** Of this machine, not of a checkout: `down` works from any of them. */
export const STATE_DIRECTORY = "/var/lib/pulumi-etcd-lab";
/** On a file system in memory. */
const MEMORY_DIRECTORY = "/dev/shm/pulumi-etcd-lab";

export interface HostRecord extends LabHostSpec {
    /** Directory of the image that the host was made from. */
    readonly image: string;
    readonly extraAddresses: readonly string[];
}

/** What an environment is meant to be; written before anything of it is made. */
export interface EnvironmentRecord {
    readonly schemaVersion: 1;
    readonly environment: string;
    readonly image: LabImage;
    readonly storage: LabStorage;
    /** The address of this machine in the environment. */
    readonly gateway: string;
    readonly hosts: readonly HostRecord[];
    /** Name of the host that is the bastion. */
    readonly bastion?: string;
}

export function environmentDirectory(environment: string): string {
    return join(STATE_DIRECTORY, environment);
}

export function hostDirectory(environment: string, host: string): string {
    return join(environmentDirectory(environment), "hosts", host);
}

/** Where what a host writes is kept. */
export function storageDirectory(environment: string, host: string, storage: LabStorage): string {
    return storage === "disk" ? hostDirectory(environment, host) : join(memoryDirectory(environment), host);
}

export function memoryDirectory(environment: string): string {
    return join(MEMORY_DIRECTORY, environment);
}

export function lockFile(name: string): string {
    return join(STATE_DIRECTORY, "locks", name);
}

/** Every environment that has a directory, half-made ones included. */
export function listEnvironments(): readonly string[] {
    return listDirectories(STATE_DIRECTORY).filter((name) => name !== "locks");
}

/** Every host that has a directory, half-made ones included. */
export function listHosts(environment: string): readonly string[] {
    return listDirectories(join(environmentDirectory(environment), "hosts"));
}

function listDirectories(parent: string): readonly string[] {
    if (!existsSync(parent)) return [];
    const entries = readdirSync(parent, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

export function readEnvironment(environment: string): EnvironmentRecord | undefined {
    const file = join(environmentDirectory(environment), "environment.json");
    if (!existsSync(file)) return undefined;
    return JSON.parse(readFileSync(file, "utf8")) as EnvironmentRecord;
}

export function writeEnvironment(record: EnvironmentRecord): void {
    const directory = environmentDirectory(record.environment);
    mkdirSync(directory, { recursive: true });
    writeWhole(join(directory, "environment.json"), `${JSON.stringify(record, undefined, 4)}\n`);
}

/** Replaces a file by rename: whoever reads it, a run after a crash included, sees the old text or the new one. */
export function writeWhole(file: string, text: string, mode = 0o644): void {
    writeFileSync(`${file}.new`, text, { mode });
    renameSync(`${file}.new`, file);
}
