import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";

import { artefact, cacheDirectory } from "./cache";
import { runLogged } from "./command";
import { isExecutableFile } from "./findOnPath";

/** How long the vendor has to answer, and how long a transfer may stand still. */
const answerSeconds = 5;
const stallSeconds = 20;
/** How long a failure is remembered. */
const rememberedSeconds = 24 * 60 * 60;

/** A .tar.gz file as the vendor publishes it. */
export interface Archive {
    /** With `version` the key in the cache. */
    readonly name: string;
    readonly version: string;
    /** Where it is, best first. */
    readonly urls: readonly string[];
    /** The executable that it is wanted for, and how many folders in the archive are above it. */
    readonly executable: string;
    readonly depth: number;
}

/** The vendor's file could not be had; the message says from where and why. */
export class DownloadError extends Error {}

/**
 * Downloads and unpacks an archive, unless it is there.
 *
 * @param retry also try what has failed within the last day
 * @returns the path of its executable
 * @throws DownloadError; another error when it is this machine that can't keep the file, which is not remembered
 */
export async function download(archive: Archive, retry: boolean): Promise<string> {
    const { name, version, urls, executable } = archive;
    const kept = join(cacheDirectory(), `${name}-${version}`, executable);
    if (isExecutableFile(kept)) return kept;
    const known = retry ? undefined : rememberedFailure(urls);
    if (known !== undefined) throw new DownloadError(known);
    const directory = await artefact(name, version, (into, progress) => fetchFirst(archive, into, progress));
    return join(directory, executable);
}

async function fetchFirst(archive: Archive, directory: string, progress: (text: string) => void): Promise<void> {
    const failures: string[] = [];
    for (const url of archive.urls) {
        try {
            progress(`downloading ${url}`);
            await fetchTo(url, join(directory, "archive.tar.gz"));
            return await unpack(archive, url, directory);
        } catch (error) {
            if (!(error instanceof DownloadError)) throw error;
            failures.push(error.message);
        }
    }
    throw new DownloadError(failures.join("; "));
}

async function unpack({ executable, depth }: Archive, url: string, directory: string): Promise<void> {
    const file = join(directory, "archive.tar.gz");
    const log = join(cacheDirectory(), "logs", "unpack.log");
    try {
        await runLogged("tar", ["-xzf", file, "-C", directory, `--strip-components=${depth}`], { directory, log });
    } catch (error) {
        const isNoTar = /not look like a tar archive/.test((error as Error).message);
        if (isOfThisMachine(error) || (!isNoTar && (await isWhole(file))))
            throw ourFault(`${file} can't be unpacked`, error as Error);
        throw remember(url, `${url}: ${(error as Error).message}`);
    }
    await rm(file);
    if (!isExecutableFile(join(directory, executable)))
        throw remember(url, `${url}: holds no executable ${executable}`);
}

/** By the checksum that it ends with. */
async function isWhole(file: string): Promise<boolean> {
    try {
        await pipeline(createReadStream(file), createGunzip(), async (unpacked) => {
            for await (const _ of unpacked);
        });
        return true;
    } catch (error) {
        if (isOfThisMachine(error)) throw error;
        return false;
    }
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
        if (isOfThisMachine(error)) throw ourFault(`${file} can't be written`, error);
        if (error instanceof HttpError) throw remember(url, `${url}: ${error.message}`);
        throw remember(origin, `${host} ${reason(abort.signal.aborted ? abort.signal.reason : error)}`);
    } finally {
        clearTimeout(timer);
    }
}

class HttpError extends Error {}

/** Of a file or a program. Those of connections are causes of what `fetch` throws. */
function isOfThisMachine(error: unknown): error is NodeJS.ErrnoException {
    return error instanceof Error && "syscall" in error;
}

function ourFault(what: string, { message }: Error): Error {
    return new Error(`${what}: see to its disk and rights, or let XDG_CACHE_HOME name another place (${message})`);
}

/** `fetch` hides why a connection failed in the cause of its error. */
function reason(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    if (error.cause instanceof Error) return reason(error.cause);
    return "code" in error ? String(error.code) : error.message;
}

/** Why none of these can be had, if attempts within the last day found that out. */
function rememberedFailure(urls: readonly string[]): string | undefined {
    const failures = urls.map((url) => readRecent(memory(new URL(url).origin)) ?? readRecent(memory(url)));
    return failures.every((failure) => failure !== undefined) ? failures.join("; ") : undefined;
}

function remember(key: string, message: string): DownloadError {
    const file = memory(key);
    try {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, message);
    } catch (error) {
        rmSync(file, { force: true });
        throw ourFault(`${file} can't be written`, error as Error);
    }
    return new DownloadError(message);
}

function memory(key: string): string {
    return join(cacheDirectory(), "unreachable", createHash("sha256").update(key).digest("hex").slice(0, 16));
}

/** An empty one was cut off as it was written. */
function readRecent(file: string): string | undefined {
    const stat = statSync(file, { throwIfNoEntry: false });
    if (!stat || Date.now() - stat.mtimeMs > rememberedSeconds * 1000) return undefined;
    return readFileSync(file, "utf8") || undefined;
}
