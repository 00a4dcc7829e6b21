/** The release archive on this machine. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { constants, gunzipSync } from "node:zlib";

/** Where it is, and what it must be. */
export interface LocalArchive {
    readonly path: string;
    /** In hexadecimal. */
    readonly sha256: string;
}

/** @throws Error when it can't be read or is another one: what, wanted against found, what to do */
export async function readArchive({ path, sha256 }: LocalArchive): Promise<Buffer> {
    const archive = await readFile(path).catch((error: NodeJS.ErrnoException) => {
        throw new Error(
            `install.path "${path}" can't be read (${reason(error)}): give the path of etcd's release archive on this machine`,
        );
    });
    const found = createHash("sha256").update(archive).digest("hex");
    if (found === sha256.toLowerCase()) return archive;
    throw new Error(
        `install.path "${path}" has the sha256 ${found}, wanted is ${sha256}: give the right archive, or correct install.sha256`,
    );
}

/** Enough of it for the first entry. */
const BEGINNING = 16_384;

/** The name of an archive's first entry, gzip or plain tar; nothing where it is neither. */
export function firstEntry(archive: Buffer): string {
    const beginning = archive.subarray(0, BEGINNING);
    const isPacked = beginning[0] === 0x1f && beginning[1] === 0x8b;
    const tar = isPacked ? unpackedBeginning(beginning) : beginning;
    const isTar = tar.subarray(257, 262).toString("latin1") === "ustar";
    return isTar ? (tar.subarray(0, 100).toString("latin1").split("\0")[0] ?? "") : "";
}

function unpackedBeginning(beginning: Buffer): Buffer {
    try {
        // What is cut off is no error that way.
        return gunzipSync(beginning, { finishFlush: constants.Z_SYNC_FLUSH });
    } catch {
        return Buffer.alloc(0);
    }
}

function reason({ code, message }: NodeJS.ErrnoException): string {
    if (code === "ENOENT") return "there is no such file";
    if (code === "EISDIR") return "it is a directory";
    if (code === "EACCES") return "permission denied";
    return code ?? message;
}
