// Usage: npm run pulumi -- ARGUMENT…
// Runs pulumi in this project, with a Pulumi home and backend of our own.

import { spawn } from "node:child_process";
import { constants } from "node:os";

import { resolveToolchain } from ".";
import { passSignals } from "./signals";

async function main(): Promise<void> {
    const { pulumi, env } = await resolveToolchain();
    const child = spawn(pulumi, process.argv.slice(2), { stdio: "inherit", env });
    passSignals(child);
    child.once("exit", (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0)));
}

main().catch((error: Error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
});
