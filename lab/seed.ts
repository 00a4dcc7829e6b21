import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { succeed } from "./command";
import { hardwareAddress, portName, subnets, switchFile } from "./network";
import { environmentDirectory, hostDirectory, storageDirectory, writeWhole } from "./state";
import type { EnvironmentRecord, HostRecord } from "./state";

/** An ed25519 key pair in OpenSSH's form; made once. Gives the file of the private key. */
export async function keyPair(file: string, comment: string): Promise<string> {
    if (existsSync(file)) return file;
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    const partial = `${file}.partial`;
    await rm(partial, { force: true });
    await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", partial]);
    await rename(`${partial}.pub`, `${file}.pub`);
    await rename(partial, file);
    return file;
}

export function userKeyFile(environment: string): string {
    return join(environmentDirectory(environment), "id_ed25519");
}

export function hostKeyFile(environment: string, host: string): string {
    return join(hostDirectory(environment, host), "ssh_host_ed25519_key");
}

/** The host's public key as `ssh-ed25519 AAAA…`, without a comment. */
export async function publicHostKey(environment: string, host: string): Promise<string> {
    const text = await readFile(`${hostKeyFile(environment, host)}.pub`, "utf8");
    return text.trim().split(" ").slice(0, 2).join(" ");
}

/** Gives a host its storage, with all that differs from the image. Finished storage is left alone. */
export async function seedHost(record: EnvironmentRecord, host: HostRecord): Promise<void> {
    const { environment } = record;
    const storage = storageDirectory(environment, host.name, record.storage);
    const key = await keyPair(hostKeyFile(environment, host.name), `root@${host.name}`);
    if (existsSync(join(storage, "upper"))) return;
    const seed = join(storage, "upper.partial");
    await rm(seed, { recursive: true, force: true });
    for (const directory of ["", "etc", "etc/ssh", "home"]) await makeDirectory(join(seed, directory));
    for (const rest of ["work", OLD_STORAGE]) await rm(join(storage, rest), { recursive: true, force: true });
    await mkdir(join(storage, "work"));
    const put = async (path: string, content: string, mode = 0o644): Promise<void> => {
        await writeFile(join(seed, path), content);
        await chmod(join(seed, path), mode);
    };
    await put("etc/hostname", `${host.name}\n`);
    await put("etc/hosts", `127.0.0.1 localhost\n127.0.1.1 ${host.name}\n::1 localhost ip6-localhost ip6-loopback\n`);
    await put("etc/machine-id", `${randomBytes(16).toString("hex")}\n`);
    await put("etc/ssh/ssh_host_ed25519_key", await readFile(key, "utf8"), 0o600);
    await put("etc/ssh/ssh_host_ed25519_key.pub", await readFile(`${key}.pub`, "utf8"));
    const authorized = await readFile(`${userKeyFile(environment)}.pub`, "utf8");
    for (const { home, uid, gid, mode } of HOMES) {
        await mkdir(join(seed, home, ".ssh"), { recursive: true });
        await put(`${home}/.ssh/authorized_keys`, authorized, 0o600);
        for (const path of [home, `${home}/.ssh`, `${home}/.ssh/authorized_keys`])
            await chown(join(seed, path), uid, gid);
        await chmod(join(seed, home), mode);
        await chmod(join(seed, home, ".ssh"), 0o700);
    }
    if (host.diskMegabytes !== undefined) await makeDisk(host, join(storage, "disk.img"), host.diskMegabytes);
    // Last, so that a host whose making was interrupted is made anew.
    await rename(seed, join(storage, "upper"));
}

/** Throws away what a host has written, all at once: a run that is killed leaves the old storage whole, or none. */
export async function discardStorage(storage: string): Promise<void> {
    await rm(join(storage, OLD_STORAGE), { recursive: true, force: true });
    if (existsSync(join(storage, "upper"))) await rename(join(storage, "upper"), join(storage, OLD_STORAGE));
    await rm(join(storage, OLD_STORAGE), { recursive: true, force: true });
}

const OLD_STORAGE = "upper.old";

/** Whatever this process's umask is. */
async function makeDirectory(directory: string): Promise<void> {
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o755);
}

/** Users and their ids as the image has them. */
const HOMES = [
    { home: "root", uid: 0, gid: 0, mode: 0o700 },
    { home: "home/admin", uid: 1000, gid: 1000, mode: 0o755 },
    { home: "home/operator", uid: 1001, gid: 37, mode: 0o755 },
];

/** A small file system that starts with what the image has in /var/lib. */
async function makeDisk(host: HostRecord, file: string, megabytes: number): Promise<void> {
    await rm(file, { force: true });
    await succeed("mkfs.ext4", ["-q", "-m", "0", "-d", join(host.image, "var/lib"), file, `${megabytes}M`]);
}

/** What boot.sh reads at each boot. */
export function writeBootConfiguration(record: EnvironmentRecord, host: HostRecord, controlGroup: string): void {
    const values = {
        NAME: host.name,
        IMAGE: host.image,
        STORAGE: storageDirectory(record.environment, host.name, record.storage),
        CGROUP: controlGroup,
        SWITCH: switchFile(record.environment),
        PORT: portName(host.name),
        MAC: hardwareAddress(record.environment, host.name),
        ADDRESSES: [host.address, ...host.extraAddresses].map((address) => `${address}/24`).join(" "),
        SUBNETS: subnets(record).join(" "),
    };
    const lines = Object.entries(values).map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'\n`);
    writeWhole(join(hostDirectory(record.environment, host.name), "boot.conf"), lines.join(""));
}
