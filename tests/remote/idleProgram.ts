/** Runs one script over SSH and closes nothing. */
import { pool } from "../../components/remote/connectionPool";
import type { SshTarget } from "../../components/remote/ssh";
import { programInput } from "./program";

async function main(): Promise<void> {
    const connection = await pool.connect(await programInput<SshTarget>());
    process.stdout.write(await connection.runOrThrow("run", "echo ran"));
}

void main();
