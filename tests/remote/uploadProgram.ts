/** Uploads a file, and stops for ever in the middle. */

import { pool } from "../../components/remote/connectionPool";
import type { SshTarget } from "../../components/remote/target";
import { programInput } from "./program";

interface Input {
    readonly target: SshTarget;
    readonly file: string;
    readonly to: string;
    readonly sha256: string;
}

async function main(): Promise<void> {
    const { target, file, to, sha256 } = await programInput<Input>();
    const connection = await pool.connect(target);
    const onProgress = (sent: number, total: number): void => {
        // Blocks this process, as a frozen one would.
        if (sent > total / 2) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    };
    await connection.upload(file, to, { mode: 0o644, sha256, onProgress });
}

void main();
