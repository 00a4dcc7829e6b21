/** etcd's release archives for lab hosts, laid out as etcd publishes them. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

import { artefact, etcdBinaries, skewedClock, type EtcdBinaries } from "../toolchain";
import { CLOCK_OFFSET_FILE } from "./clock";
import { succeed } from "./command";

export interface Release {
    readonly version: string;
    /** `etcd-v3.6.16-linux-amd64.tar.gz` */
    readonly name: string;
    readonly path: string;
    readonly sha256: string;
}

const ARCHITECTURE = process.arch === "arm64" ? "arm64" : "amd64";

/** @param version `3.6`, or an exact one */
export async function releaseArchive(version: string): Promise<Release> {
    return archiveOf(await etcdBinaries(version));
}

/** Of programs that see the time which `setClockOffset` sets. Built on first use: minutes. @param version as of `releaseArchive` */
export async function skewedRelease(version: string): Promise<Release> {
    return archiveOf(await etcdBinaries(version, (module) => skewedClock(CLOCK_OFFSET_FILE, module)));
}

async function archiveOf(built: EtcdBinaries): Promise<Release> {
    const base = `etcd-v${built.version}-linux-${ARCHITECTURE}`;
    const name = `${base}.tar.gz`;
    const directory = await artefact(`etcd-release-${built.etcd.sha256.slice(0, 12)}`, built.version, async (into) => {
        const layout = join(into, base);
        await mkdir(layout);
        for (const binary of ["etcd", "etcdctl", "etcdutl"])
            await copyFile(join(built.directory, binary), join(layout, binary));
        await succeed("tar", ["-czf", join(into, name), "-C", into, base]);
        await rm(layout, { recursive: true });
        await writeFile(join(into, "sha256"), await sha256(join(into, name)));
    });
    return {
        version: built.version,
        name,
        path: join(directory, name),
        sha256: await readFile(join(directory, "sha256"), "utf8"),
    };
}

/** Lays a release where the committed stack files look for it: in `.lab/releases`, with its line in `SHA256SUMS`. */
export async function layOutRelease(checkout: string, { name, path, sha256: digest }: Release): Promise<void> {
    const directory = join(checkout, ".lab", "releases");
    const sums = join(directory, "SHA256SUMS");
    await mkdir(directory, { recursive: true });
    await rm(join(directory, name), { force: true });
    await symlink(path, join(directory, name));
    const others = (await readFile(sums, "utf8").catch(() => ""))
        .split("\n")
        .filter((line) => line && !line.endsWith(`  ${name}`));
    await writeFile(sums, [...others, `${digest}  ${name}`, ""].join("\n"));
}

async function sha256(path: string): Promise<string> {
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    return hash.digest("hex");
}
