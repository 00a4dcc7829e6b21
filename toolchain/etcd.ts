import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { artefact } from "./cache";
import { buildFromModules, recipeDigest, type Overlay } from "./goBuild";

export interface Binary {
    readonly path: string;
    /** In hexadecimal. */
    readonly sha256: string;
}

export interface EtcdBinaries {
    /** Exact, such as `3.6.16`. */
    readonly version: string;
    readonly directory: string;
    readonly etcd: Binary;
    readonly etcdctl: Binary;
    readonly etcdutl: Binary;
}

/** One folder per version, with the go.mod and go.sum that pin its build. */
const recipes = join(__dirname, "etcd");

const programs = [
    { output: "etcd", package: "go.etcd.io/etcd/server/v3" },
    { output: "etcdctl", package: "go.etcd.io/etcd/etcdctl/v3" },
    { output: "etcdutl", package: "go.etcd.io/etcd/etcdutl/v3" },
] as const;

const sums = "SHA256SUMS";

/** The versions that can be built, oldest first. */
export const etcdVersions: readonly string[] = readdirSync(recipes).sort((a, b) =>
    a.localeCompare(b, "en", { numeric: true }),
);

/**
 * The binaries of an etcd version for this machine's architecture, built when first asked for. They are static.
 *
 * @param version `3.6` for its latest patch here, or exactly `3.6.16`
 * @param overlayOf gives, for the directory of the module that is built, what makes other programs of the same sources
 * @throws when the version is not one of {@link etcdVersions}, or the build fails
 */
export async function etcdBinaries(version: string, overlayOf?: (module: string) => Overlay): Promise<EtcdBinaries> {
    const exact = etcdVersions.findLast((known) => known === version || known.startsWith(`${version}.`));
    if (exact === undefined) {
        throw new Error(`etcd ${version} can't be built here: use one of ${etcdVersions.join(", ")}`);
    }
    const recipe = join(recipes, exact);
    const overlay = overlayOf?.(recipe);
    const name = overlay ? `etcd-${overlay.name}` : "etcd";
    const key = `${exact}-${recipeDigest(recipe, programs, overlay)}`;
    const directory = await artefact(name, key, async (into, progress) => {
        await buildFromModules(`${name} ${exact}`, recipe, programs, into, progress, overlay);
        await writeSums(into);
    });
    const digests = await readSums(directory);
    const binary = (name: string): Binary => ({ path: join(directory, name), sha256: digests.get(name) ?? "" });
    return {
        version: exact,
        directory,
        etcd: binary("etcd"),
        etcdctl: binary("etcdctl"),
        etcdutl: binary("etcdutl"),
    };
}

/** In the format of sha256sum. */
async function writeSums(directory: string): Promise<void> {
    const lines = programs.map(async ({ output }) => {
        const content = await readFile(join(directory, output));
        return `${createHash("sha256").update(content).digest("hex")}  ${output}\n`;
    });
    await writeFile(join(directory, sums), (await Promise.all(lines)).join(""));
}

async function readSums(directory: string): Promise<ReadonlyMap<string, string>> {
    const lines = (await readFile(join(directory, sums), "utf8")).trimEnd().split("\n");
    return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}
