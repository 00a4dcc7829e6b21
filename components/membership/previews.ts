/**
 * The plan of the last preview, noted for the `up` that follows it: the engine hands nothing from one to the other, and starts a new
 * process for each. Only for telling the operator what is different by now; nothing is decided by it, and no secret is in it.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import type { ShownPlan } from "./deviations";
import type { MembershipInputs } from "./inputs";

/** A note that no `up` came for. */
const FORGOTTEN_MS = 24 * 3600 * 1000;

export interface Preview extends ShownPlan {
    readonly agoSeconds: number;
}

/** Beside what Pulumi itself keeps on this machine. A note that can't be written is one comparison less, and no reason to fail. */
export function notePreview(inputs: MembershipInputs, plan: ShownPlan | undefined): void {
    try {
        if (!plan) return rmSync(file(inputs), { force: true });
        mkdirSync(directory(), { recursive: true, mode: 0o700 });
        forgetOld();
        writeFileSync(file(inputs), JSON.stringify(plan), { mode: 0o600 });
    } catch {
        // A home that is read-only, or full.
    }
}

/** The last preview of the very same declaration, once: what comes after this `up` is another story. */
export function takePreview(inputs: MembershipInputs): Preview | undefined {
    try {
        const { mtimeMs } = statSync(file(inputs));
        const plan = JSON.parse(readFileSync(file(inputs), "utf8")) as ShownPlan;
        rmSync(file(inputs));
        return { ...plan, agoSeconds: Math.max(0, Math.round((Date.now() - mtimeMs) / 1000)) };
    } catch {
        return undefined;
    }
}

function directory(): string {
    return join(process.env["PULUMI_HOME"] ?? join(homedir(), ".pulumi"), "etcd-previews");
}

/** One for each declaration: another one has another plan. */
function file({ stack, cluster, clusterToken, version, dataDir, allowEvenSize, hosts }: MembershipInputs): string {
    const places = hosts.map(({ name, address, peerPort, clientPort }) => [name, address, peerPort, clientPort]);
    const declared = JSON.stringify([stack, cluster, clusterToken, version, dataDir, allowEvenSize, places]);
    return join(directory(), `${createHash("sha256").update(declared).digest("hex").slice(0, 20)}.json`);
}

function forgetOld(): void {
    for (const name of readdirSync(directory())) {
        const path = join(directory(), name);
        if (Date.now() - statSync(path).mtimeMs > FORGOTTEN_MS) rmSync(path, { force: true });
    }
}
