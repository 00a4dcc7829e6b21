import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { until } from "./poll";

let mountPoint: string | undefined;

/** Where this machine has control groups v2: alone at /sys/fs/cgroup, or beside v1. */
function unifiedMountPoint(): string {
    if (mountPoint) return mountPoint;
    const line = readFileSync("/proc/self/mountinfo", "utf8")
        .split("\n")
        .find((mount) => mount.includes(" - cgroup2 "));
    mountPoint = line?.split(" ")[4];
    if (!mountPoint) {
        throw new Error(
            "the lab needs control groups v2 and none are mounted: mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
        );
    }
    return mountPoint;
}

/** The control groups of an environment or of one of its hosts: all processes of a host are in its own. */
export class ControlGroup {
    readonly directory: string;

    constructor(environment: string, host?: string) {
        this.directory = join(unifiedMountPoint(), "pulumi-etcd-lab", environment, host ?? "");
    }

    /** Whether any process is in it. */
    isPopulated(): boolean {
        return this.readEvent("populated") === "1";
    }

    isFrozen(): boolean {
        return this.readEvent("frozen") === "1";
    }

    /** Ends every process in it at once, and those that join it before it is empty. */
    async kill(): Promise<void> {
        if (!existsSync(this.directory)) return;
        await until(
            () => {
                writeFileSync(join(this.directory, "cgroup.kill"), "1");
                return !this.isPopulated();
            },
            { seconds: 30, everyMs: 5, message: () => `control group ${this.directory} cannot be emptied` },
        );
        // Else the next process that joins is frozen at once.
        writeFileSync(join(this.directory, "cgroup.freeze"), "0");
    }

    async whenEmpty(seconds: number): Promise<void> {
        await until(() => !this.isPopulated(), {
            seconds,
            everyMs: 5,
            message: () => `control group ${this.directory} still has processes after ${seconds} s`,
        });
    }

    async setFrozen(frozen: boolean): Promise<void> {
        writeFileSync(join(this.directory, "cgroup.freeze"), frozen ? "1" : "0");
        await until(() => this.isFrozen() === frozen, {
            seconds: 10,
            everyMs: 2,
            message: () => `control group ${this.directory} did not ${frozen ? "freeze" : "thaw"} within 10 s`,
        });
    }

    /** Removes the empty group with all below it, and what is above it if that is empty, too. */
    remove(): void {
        if (existsSync(this.directory)) removeTree(this.directory);
        try {
            rmdirSync(dirname(this.directory));
        } catch {
            // Others are in it, or it is gone.
        }
    }

    /** The host's process 1, as a process id of this machine; undefined before systemd runs and in its last moments. */
    initProcess(): number | undefined {
        const processes = readIfThere(join(this.directory, "machine/payload/init.scope/cgroup.procs"));
        return processes?.split("\n").filter(Boolean).map(Number).find(isInit);
    }

    private readEvent(name: string): string | undefined {
        const events = readIfThere(join(this.directory, "cgroup.events")) ?? "";
        return new RegExp(`^${name} (\\d)$`, "m").exec(events)?.[1];
    }
}

/** In the end another program becomes process 1, which ends all others and waits for what comes meanwhile. */
function isInit(pid: number): boolean {
    const status = readIfThere(`/proc/${pid}/status`) ?? "";
    return /^NSpid:.*\t1$/m.test(status) && /^Name:\tsystemd$/m.test(status);
}

/** What it tells about may go at any moment, and its file with it, even while that is read. */
function readIfThere(file: string): string | undefined {
    try {
        return readFileSync(file, "utf8");
    } catch {
        return undefined;
    }
}

function removeTree(directory: string): void {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
        if (entry.isDirectory()) removeTree(join(directory, entry.name));
    }
    rmdirSync(directory);
}
