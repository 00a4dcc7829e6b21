/** A disk that is slow for one lab host, really: the kernel makes its writes wait. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { LabHost } from "../../lab";
import { ControlGroup } from "../../lab/controlGroup";
import { storageDirectory } from "../../lab/state";

const VERSION_1 = "/sys/fs/cgroup/blkio";

/**
 * Lets what runs on a host, and what it starts, write so many times a second at most.
 * @returns ends it
 */
export function slowDisk(host: LabHost, writesPerSecond: number): () => void {
    const device = diskOf(storageDirectory(host.environment, host.name, "disk"));
    const { directory } = new ControlGroup(host.environment, host.name);
    return existsSync(`${VERSION_1}/blkio.throttle.write_iops_device`)
        ? throttle1(directory, `${host.environment}-${host.name}`, device, writesPerSecond)
        : throttle2(directory, device, writesPerSecond);
}

/** Control groups v1: a group of its own, which the host's processes move to. */
function throttle1(directory: string, name: string, device: string, writesPerSecond: number): () => void {
    const group = join(VERSION_1, name);
    mkdirSync(group);
    writeFileSync(join(group, "blkio.throttle.write_iops_device"), `${device} ${writesPerSecond}`);
    move(processesIn(directory), group);
    return () => {
        move(readFileSync(join(group, "cgroup.procs"), "utf8").split("\n").filter(Boolean), VERSION_1);
        rmdirSync(group);
    };
}

/** Control groups v2: the host's own group. */
function throttle2(directory: string, device: string, writesPerSecond: number): () => void {
    for (const above of ["../../..", "../..", ".."])
        writeFileSync(join(directory, above, "cgroup.subtree_control"), "+io");
    const limit = (wiops: number | "max") => writeFileSync(join(directory, "io.max"), `${device} wiops=${wiops}`);
    limit(writesPerSecond);
    return () => limit("max");
}

function move(processes: readonly string[], group: string): void {
    for (const pid of processes) {
        try {
            writeFileSync(join(group, "cgroup.procs"), pid);
        } catch {
            // It has ended.
        }
    }
}

function processesIn(directory: string): readonly string[] {
    const own = readFileSync(join(directory, "cgroup.procs"), "utf8").split("\n").filter(Boolean);
    const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...own, ...below.flatMap(({ name }) => processesIn(join(directory, name)))];
}

/** `254:0`: the whole disk's number, if it is a partition that the directory is on. */
function diskOf(directory: string): string {
    const { dev } = statSync(directory);
    const number = `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
    const device = `/sys/dev/block/${number}`;
    return existsSync(`${device}/partition`) ? readFileSync(`${device}/../dev`, "utf8").trim() : number;
}
