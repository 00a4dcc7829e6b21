import { existsSync, readFileSync, writeFileSync } from "node:fs";

import { findOnPath } from "../toolchain/findOnPath";
import { succeed } from "./command";

/** Which Debian package holds a program that the lab runs on this machine. */
const PACKAGE_OF = {
    "systemd-nspawn": "systemd-container",
    mmdebstrap: "mmdebstrap",
    nft: "nftables",
    ip: "iproute2",
    ssh: "openssh-client",
    "ssh-keygen": "openssh-client",
    flock: "util-linux",
    unshare: "util-linux",
    nsenter: "util-linux",
    setpriv: "util-linux",
    "mkfs.ext4": "e2fsprogs",
    // Stands for the modules in that package; perl itself is in perl-base.
    prove: "perl",
} as const;

export type Program = keyof typeof PACKAGE_OF;

const EVERY_RUN: readonly Program[] = [
    "systemd-nspawn",
    "nft",
    "ip",
    "ssh",
    "ssh-keygen",
    "unshare",
    "nsenter",
    "setpriv",
];

/** Throws one clear sentence where this machine can't play lab hosts; installs missing Debian packages where it can. */
export async function requireLabMachine(): Promise<void> {
    if (process.platform !== "linux") {
        throw new Error(
            `the lab needs Linux, this is "${process.platform}": run it on a Linux machine or in a virtual one`,
        );
    }
    if (process.getuid?.() !== 0) {
        throw new Error("the lab needs root, to make namespaces, mounts and control groups: run it with sudo");
    }
    await requirePrograms(EVERY_RUN);
    allowManyHosts();
}

/** How many inotify instances one user may have (Linux: 128). Each host's systemd and its services take about twenty. */
const INOTIFY_INSTANCES = "/proc/sys/fs/inotify/max_user_instances";
const WANTED_INSTANCES = 1024;

/** Without it the seventh host does not boot, for want of files to watch. */
function allowManyHosts(): void {
    const found = Number(readFileSync(INOTIFY_INSTANCES, "utf8"));
    if (found >= WANTED_INSTANCES) return;
    writeFileSync(INOTIFY_INSTANCES, String(WANTED_INSTANCES));
    console.error(
        `lab: fs.inotify.max_user_instances raised from ${found} to ${WANTED_INSTANCES} until the next boot of this machine`,
    );
}

/** Installs the packages of those programs that are missing. */
export async function requirePrograms(programs: readonly Program[]): Promise<void> {
    const missing = programs.filter((program) => !isOnPath(program));
    if (missing.length === 0) return;
    const packages: string[] = [...new Set(missing.map((program) => PACKAGE_OF[program]))];
    if (packages.includes("mmdebstrap")) packages.push(...KEYS_OF_DEBIAN);
    const what = `${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} missing`;
    if (!isDebian() || !isOnPath("apt-get")) {
        throw new Error(`${what}: install the packages that hold them (on Debian: ${packages.join(" ")})`);
    }
    console.error(`lab: ${what}; installing ${packages.join(" ")} with apt-get`);
    await installPackages(packages);
    const stillMissing = missing.filter((program) => !isOnPath(program));
    if (stillMissing.length > 0) {
        throw new Error(
            `${stillMissing.join(", ")} cannot be found on PATH although ${packages.join(" ")} are installed`,
        );
    }
}

/** Without them, another distribution's machine can't check Debian's signatures. */
const KEYS_OF_DEBIAN = ["debian-archive-keyring"];

async function installPackages(packages: readonly string[]): Promise<void> {
    const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const waitForOthers = ["-o", "DPkg::Lock::Timeout=300"];
    await succeed("apt-get", [...waitForOthers, "update", "--quiet"], { timeoutSeconds: 600, environment });
    await succeed("apt-get", [...waitForOthers, "install", "--yes", "--no-install-recommends", ...packages], {
        timeoutSeconds: 900,
        environment,
    });
}

function isDebian(): boolean {
    if (!existsSync("/etc/os-release")) return false;
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync("/etc/os-release", "utf8"));
}

export function isOnPath(program: string): boolean {
    addAdministratorsDirectories();
    return findOnPath(program) !== undefined;
}

/** A plain user's PATH, kept by some ways to become root, lacks the directories of the administrator's programs. */
function addAdministratorsDirectories(): void {
    const directories = (process.env.PATH ?? "").split(":").filter(Boolean);
    const missing = ["/usr/sbin", "/sbin"].filter((directory) => !directories.includes(directory));
    if (missing.length > 0) process.env.PATH = [...directories, ...missing].join(":");
}
