import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";

import { RemoteError, said } from "./errors";
import { shellQuote } from "./quote";
import type { ScriptChannel } from "./scriptChannel";

export interface UploadOptions {
    /** Permissions, as `0o755`. */
    readonly mode: number;
    /** What the file's SHA-256 has to be, in hex. */
    readonly sha256: string;
    readonly onProgress?: ((sentBytes: number, totalBytes: number) => void) | undefined;
    /** @default 600 */
    readonly timeoutSeconds?: number | undefined;
}

/** Exit code of the upload's script when the sum of what arrived is another one. */
const WRONG_SUM = 65;

/**
 * Takes a file from stdin. What an earlier try has left beside it is removed after an hour, when surely nobody writes to it any more.
 */
export function uploadScript(remotePath: string, { mode, sha256 }: UploadOptions): string {
    return `set -eu
path=${shellQuote(remotePath)}
dir=$(dirname -- "$path")
name=$(basename -- "$path")
find "$dir" -maxdepth 1 -type f -name ".$name.upload-*" -mmin +60 -exec rm -f -- {} +
part=$(mktemp -- "$dir/.$name.upload-XXXXXXXX")
trap 'rm -f -- "$part"' EXIT
trap 'exit 129' HUP INT TERM PIPE
cat > "$part"
found=$(sha256sum < "$part")
found=\${found%% *}
if [ "$found" != ${shellQuote(sha256.toLowerCase())} ]; then echo "$found"; exit ${WRONG_SUM}; fi
chmod ${mode.toString(8).padStart(4, "0")} "$part"
sync "$part"
mv -f -T -- "$part" "$path"
`;
}

/**
 * Sends a local file, unless the script ends before.
 * @returns the SHA-256 of what was sent, in hex
 * @throws RemoteError upload-failed, if the file can't be read
 */
export async function feedFile(
    host: string,
    channel: ScriptChannel,
    localPath: string,
    onProgress: UploadOptions["onProgress"],
): Promise<string> {
    const hash = createHash("sha256");
    let sent = 0;
    try {
        const { size } = await stat(localPath);
        for await (const chunk of createReadStream(localPath, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
            if (channel.isOver) break;
            hash.update(chunk);
            await channel.write(chunk);
            sent += chunk.length;
            onProgress?.(sent, size);
        }
    } catch (error) {
        throw new RemoteError("upload-failed", host, `${localPath} can't be read: ${(error as Error).message}`, {
            cause: error,
        });
    }
    return hash.digest("hex");
}

/** The error for an upload whose script failed. */
export function uploadFailure(
    host: string,
    localPath: string,
    remotePath: string,
    sums: { readonly wanted: string; readonly sent: string | undefined },
    result: { readonly code: number; readonly stdout: string; readonly stderr: string },
): RemoteError {
    const { wanted, sent } = sums;
    if (result.code !== WRONG_SUM) {
        return new RemoteError(
            "upload-failed",
            host,
            `${remotePath} could not be written${said(result.stderr, result.stdout)}`,
        );
    }
    if (sent !== wanted.toLowerCase()) {
        return new RemoteError(
            "upload-failed",
            host,
            `${remotePath} is not written: the SHA-256 of ${localPath} is ${sent}, expected ${wanted}; give the right file, or its right sum`,
        );
    }
    return new RemoteError(
        "upload-failed",
        host,
        `${remotePath} is not written: what arrived has the SHA-256 ${result.stdout.trim()}, expected ${wanted}; run again`,
    );
}
