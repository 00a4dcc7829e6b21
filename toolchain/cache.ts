import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { cacheDirectory } from "./cacheDirectory";
import { withLock } from "./lock";
import { startProgress } from "./progress";

export { cacheDirectory };

export type Build = (directory: string, progress: (text: string) => void) => Promise<void>;

/** Part of the key, but nothing to show. */
const digestSuffix = /-?[0-9a-f]{12}$/;

const underWay = new Map<string, Promise<string>>();

/**
 * The directory of a thing that is made once and then kept. Where it is missing, `build` fills a new directory beside the
 * final place, which is renamed when it is done: an interrupted or failed build leaves nothing that looks finished, and of
 * two runs at once one builds while the other waits.
 *
 * @param name with `version` the key: letters, digits, dots, dashes and underscores
 * @param version all that the content depends on, such as `3.6.16` or `3.255.0-4f5e6a7b`
 * @throws what `build` throws
 */
export async function artefact(name: string, version: string, build: Build): Promise<string> {
    const key = `${name}-${version}`;
    if (!/^[\w.-]+$/.test(key))
        throw new Error(`artefact key "${key}": use letters, digits, dots, dashes and underscores`);
    const directory = join(cacheDirectory(), key);
    if (existsSync(directory)) return directory;
    const running = underWay.get(directory);
    if (running) return running;
    const title = `${name} ${version.replace(digestSuffix, "")}`.trimEnd();
    const made = withLock(join(cacheDirectory(), "locks", key), `makes ${title}`, () =>
        buildUnlessThere(directory, title, build),
    ).finally(() => underWay.delete(directory));
    underWay.set(directory, made);
    return made;
}

async function buildUnlessThere(directory: string, title: string, build: Build): Promise<string> {
    if (existsSync(directory)) return directory;
    await removePartial(directory);
    const partial = `${directory}.partial-${randomUUID()}`;
    await mkdir(partial, { recursive: true });
    const progress = startProgress(title);
    try {
        await build(partial, progress.say);
        await rename(partial, directory);
    } catch (error) {
        await rm(partial, { recursive: true, force: true });
        throw error;
    } finally {
        progress.stop();
    }
    progress.done();
    return directory;
}

/** What interrupted builds left. Only the lock's holder may do this. */
async function removePartial(directory: string): Promise<void> {
    const parent = join(directory, "..");
    for (const entry of await readdir(parent)) {
        const path = join(parent, entry);
        if (path.startsWith(`${directory}.partial-`)) await rm(path, { recursive: true, force: true });
    }
}
