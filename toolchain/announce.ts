import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { cacheDirectory } from "./cache";
import type { Choice } from "./choice";

/** One line per part: where it is from, and why not from a better place. */
export function describeChoices(choices: readonly Choice[]): string {
    return choices
        .map(({ name, origin, path, because }) => `${name}: ${wording[origin]} ${path}${because && ` (${because})`}`)
        .join("\n");
}

const wording = { installed: "installed,", download: "downloaded,", build: "built from source," } as const;

/** Prints the choices, at length when they are new and in one line when they were printed before. */
export function announce(choices: readonly Choice[]): void {
    const file = join(cacheDirectory(), "announced");
    const text = describeChoices(choices);
    if (readIfThere(file) === text) {
        console.error(`toolchain: ${choices.map(({ name, origin }) => `${name} ${short[origin]}`).join(", ")}`);
        return;
    }
    console.error(text);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
}

const short = { installed: "installed", download: "downloaded", build: "built" } as const;

function readIfThere(file: string): string | undefined {
    try {
        return readFileSync(file, "utf8");
    } catch {
        return undefined;
    }
}
