import { createHash } from "node:crypto";
import { createWriteStream, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

import { cacheDirectory } from "./cache";
import { runLogged } from "./command";

/** How long the vendor has to answer, and how long a transfer may stand still. */
const answerSeconds = 5;
const stallSeconds = 20;
/** How long a failure is remembered. */
const rememberedSeconds = 24 * 60 * 60;

export class DownloadError extends Error {}

/** Downloads the first of these .tar.gz files that can be had and unpacks it into `directory`. */
export async function downloadArchive(
    urls: readonly string[],
    directory: string,
    progress: (text: string) => void,
    stripComponents: number,
): Promise<void> {
    const failures: string[] = [];
    for (const url of urls) {
        try {
            return await unpack(url, directory, progress, stripComponents);
        } catch (error) {
            if (!(error instanceof DownloadError)) throw error;
            failures.push(error.message);
        }
    }
    throw new DownloadError(failures.join("; "));
}

/** Why none of these can be downloaded, if an attempt in the last day found that out. */
export function rememberedFailure(urls: readonly string[]): string | undefined {
    const failures = urls.map((url) => readRecent(memory(new URL(url).origin)) ?? readRecent(memory(url)));
    return failures.every((failure) => failure !== undefined) ? failures.join("; ") : undefined;
}

async function unpack(url: string, directory: string, progress: (text: string) => void, strip: number): Promise<void> {
    progress(`downloading ${url}`);
    const archive = join(directory, "archive.tar.gz");
    await fetchTo(url, archive);
    const log = join(cacheDirectory(), "logs", "unpack.log");
    await runLogged("tar", ["-xzf", archive, "-C", directory, `--strip-components=${strip}`], { directory, log });
    await rm(archive);
}

async function fetchTo(url: string, file: string): Promise<void> {
    const abort = new AbortController();
    const deadline = (seconds: number): NodeJS.Timeout =>
        setTimeout(() => abort.abort(new Error(`no answer within ${seconds} s`)), seconds * 1000);
    let timer = deadline(answerSeconds);
    try {
        const response = await fetch(url, { signal: abort.signal });
        if (!response.ok || !response.body) throw new HttpError(`HTTP status ${response.status}`);
        const body = Readable.fromWeb(response.body);
        body.on("data", () => {
            clearTimeout(timer);
            timer = deadline(stallSeconds);
        });
        await pipeline(body, createWriteStream(file), { signal: abort.signal });
    } catch (error) {
        const { origin, host } = new URL(url);
        if (error instanceof HttpError) throw remember(url, `${url}: ${error.message}`);
        throw remember(origin, `${host}: ${reason(abort.signal.aborted ? abort.signal.reason : error)}`);
    } finally {
        clearTimeout(timer);
    }
}

class HttpError extends Error {}

/** `fetch` hides why a connection failed in the cause of its error. */
function reason(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    return error.cause instanceof Error ? reason(error.cause) : error.message || error.name;
}

function remember(key: string, message: string): DownloadError {
    const file = memory(key);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, message);
    return new DownloadError(message);
}

function memory(key: string): string {
    return join(cacheDirectory(), "unreachable", createHash("sha256").update(key).digest("hex").slice(0, 16));
}

function readRecent(file: string): string | undefined {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (!stat || Date.now() - stat.mtimeMs > rememberedSeconds * 1000) return undefined;
    return readFileSync(file, "utf8");
}
