import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";

import { cacheDirectory } from "./cache";
import { runLogged } from "./command";
import { findOnPath } from "./findOnPath";

export interface GoProgram {
    /** File name of the executable. */
    readonly output: string;
    /** Import path of its main package. */
    readonly package: string;
    readonly ldflags?: string;
}

/** The files that pin everything a build downloads, by checksum. */
const moduleFiles = ["go.mod", "go.sum"] as const;

/** Names what a build of these programs from that recipe gives: equal digests, equal programs. */
export function recipeDigest(recipe: string, programs: readonly GoProgram[]): string {
    const hash = createHash("sha256").update(JSON.stringify(programs));
    for (const file of moduleFiles) hash.update(readFileSync(join(recipe, file)));
    return hash.digest("hex").slice(0, 12);
}

/**
 * Builds programs of published Go modules, exactly as the go.mod and go.sum in `recipe` pin them.
 *
 * @param title names the log file
 */
export async function buildFromModules(
    title: string,
    recipe: string,
    programs: readonly GoProgram[],
    directory: string,
    progress: (text: string) => void,
): Promise<void> {
    const module = join(directory, "module");
    await mkdir(module);
    for (const file of moduleFiles) await copyFile(join(recipe, file), join(module, file));
    for (const { output, package: path, ldflags } of programs) {
        progress(`building ${output} from Go modules, once`);
        const flags = ["-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", `-s -w ${ldflags ?? ""}`.trim()];
        await goBuild(title, module, [...flags, "-o", join(directory, output), path]);
    }
}

/** Runs `go build` in a module's directory. */
export async function goBuild(title: string, module: string, args: readonly string[]): Promise<void> {
    const go = findOnPath("go");
    if (go === undefined) {
        const needed = /^go (\S+)/m.exec(readFileSync(join(module, "go.mod"), "utf8"))?.[1] ?? "";
        throw new Error(
            `${title} has to be built and Go is not on PATH: install Go ${needed} or later (https://go.dev/dl)`,
        );
    }
    // The user's own flags and workspaces must not change what is built.
    const environment = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "", GOWORK: "off" };
    const log = join(cacheDirectory(), "logs", `${title}.log`);
    await runLogged(go, ["build", ...args], { directory: module, environment, log });
}
