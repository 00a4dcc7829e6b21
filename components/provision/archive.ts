/** The release archive on this machine. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

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

function reason({ code, message }: NodeJS.ErrnoException): string {
    if (code === "ENOENT") return "there is no such file";
    if (code === "EISDIR") return "it is a directory";
    if (code === "EACCES") return "permission denied";
    return code ?? message;
}
