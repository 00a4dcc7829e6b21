/** The package as it is published, for projects that install it. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

import { buildPackage } from "../../toolchain";
import type { Project } from "./project";

const checkout = join(__dirname, "..", "..");
const run = promisify(execFile);

interface Manifest {
    readonly name: string;
    readonly version: string;
    readonly private?: boolean;
    readonly dependencies: Readonly<Record<string, string>>;
}

/** As npm does: all of it in the project, whatever becomes of this checkout. */
export function installPackage({ directory }: Project): void {
    const installed = join(directory, "node_modules", "pulumi-etcd");
    const built = realpathSync(installed);
    rmSync(installed);
    cpSync(built, installed, { recursive: true });
}

/**
 * What `npm pack` makes, with nothing beside it but what it depends on, as this checkout has that, and the types of Node.
 * @returns where the package is
 */
export async function installPacked(directory: string): Promise<string> {
    const packages = join(directory, "node_modules");
    const installed = join(packages, "pulumi-etcd");
    mkdirSync(installed, { recursive: true });
    const pack = ["pack", await buildPackage(), "--pack-destination", directory];
    const { stdout: archive } = await run("npm", pack, { cwd: directory });
    await run("tar", ["-xzf", join(directory, archive.trim()), "-C", installed, "--strip-components", "1"]);
    for (const name of [...Object.keys(manifestOf(installed).dependencies), "@types/node"]) {
        mkdirSync(dirname(join(packages, name)), { recursive: true });
        symlinkSync(join(checkout, "node_modules", name), join(packages, name));
    }
    return installed;
}

export function manifestOf(directory: string): Manifest {
    return JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as Manifest;
}
