import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { cacheDirectory } from "./cache";
import { runLogged } from "./command";
import { findGo, goEnvironment } from "./go";

export interface GoProgram {
    /** File name of the executable. */
    readonly output: string;
    /** Import path of its main package. */
    readonly package: string;
    readonly ldflags?: string;
}

/** Sources that take the place of others, or are added, while programs are built: of Go's own library, too. */
export interface Overlay {
    readonly name: string;
    /** By the path of what they replace. */
    readonly files: Readonly<Record<string, string>>;
}

/** The files that pin everything a build downloads, by checksum. */
const moduleFiles = ["go.mod", "go.sum"] as const;

/** Names what a build of these programs from that recipe gives: equal digests, equal programs. */
export function recipeDigest(recipe: string, programs: readonly GoProgram[], overlay?: Overlay): string {
    const hash = createHash("sha256").update(JSON.stringify(programs));
    for (const file of moduleFiles) hash.update(readFileSync(join(recipe, file)));
    if (overlay) hash.update(JSON.stringify(overlay));
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
    overlay?: Overlay,
): Promise<void> {
    const module = join(directory, "module");
    await mkdir(module);
    for (const file of moduleFiles) await copyFile(join(recipe, file), join(module, file));
    const replaced = overlay ? ["-overlay", await layOut(overlay, directory)] : [];
    for (const { output, package: path, ldflags } of programs) {
        progress(`building ${output} from Go modules, once`);
        const flags = ["-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", `-s -w ${ldflags ?? ""}`.trim()];
        await goBuild(title, module, [...flags, ...replaced, "-o", join(directory, output), path]);
    }
}

/** As `go build -overlay` takes it, into a directory; gives the file that lists what is replaced. */
export async function layOut({ files }: Overlay, directory: string): Promise<string> {
    const into = join(directory, "overlay");
    await mkdir(into);
    const placed = Object.entries(files).map(([path, content]) => ({ path, content, own: join(into, basename(path)) }));
    for (const { own, content } of placed) await writeFile(own, content);
    const list = join(into, "overlay.json");
    await writeFile(list, JSON.stringify({ Replace: Object.fromEntries(placed.map(({ path, own }) => [path, own])) }));
    return list;
}

/** What Go says when a module, a checksum or another Go could not be had. */
const ASKED_IN_VAIN =
    /Get "https?:|reading https?:|dial tcp|proxyconnect|no such host|connection re(fused|set)|i\/o timeout|TLS handshake|x509:|GOPROXY|toolchain not available/;

/** Runs `go build` in a module's directory. */
export async function goBuild(title: string, module: string, args: readonly string[]): Promise<void> {
    const go = findGo(title);
    const log = join(cacheDirectory(), "logs", `${title}.log`);
    const options = { directory: module, environment: goEnvironment(), log };
    await runLogged(go, ["build", ...args], options).catch(({ message }: Error) => {
        const remedy = "modules come from Go's module proxy, which has to be reachable once: go env GOPROXY says which";
        const why = ASKED_IN_VAIN.test(message) ? ` (${remedy})` : "";
        throw new Error(`${title} could not be built${why}: ${message}`);
    });
}
