import { chownSync, existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

import { environmentDirectory, writeWhole } from "./state";

/** The checkout that this code is in. */
const CHECKOUT = resolve(__dirname, "..");

const FILES = [
    { name: "id_ed25519", mode: 0o600 },
    { name: "id_ed25519.pub", mode: 0o644 },
    { name: "known_hosts", mode: 0o644 },
];

/** Puts the keys of an environment where a stack's configuration reads them: `.lab/<environment>/` in the checkout. */
export function publishKeys(environment: string): void {
    const directory = checkoutDirectory(environment);
    mkdirSync(directory, { recursive: true });
    const owner = statSync(CHECKOUT);
    // The lab runs as root; the engine need not.
    for (const path of [join(CHECKOUT, ".lab"), directory]) chownSync(path, owner.uid, owner.gid);
    for (const { name, mode } of FILES) {
        const file = join(directory, name);
        const text = readFileSync(join(environmentDirectory(environment), name), "utf8");
        if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
        writeWhole(file, text, mode);
        chownSync(file, owner.uid, owner.gid);
    }
}

export function unpublishKeys(environment: string): void {
    rmSync(checkoutDirectory(environment), { recursive: true, force: true });
    try {
        rmdirSync(join(CHECKOUT, ".lab"));
    } catch {
        // Other environments have theirs there, or there is none.
    }
}

function checkoutDirectory(environment: string): string {
    return join(CHECKOUT, ".lab", environment);
}
