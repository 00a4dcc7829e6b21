/** The package as it is published, for projects that install it, and the settings that its README gives them. */
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { succeed } from "../../lab/command";
import type { Project } from "./project";

const checkout = join(__dirname, "..", "..");

/** In `dist/`. */
export async function buildPackage(): Promise<void> {
    const scripts = [join(checkout, "toolchain", "bootstrap.js"), join(checkout, "toolchain", "package.ts")];
    await succeed(process.execPath, scripts, { timeoutSeconds: 120 });
}

/** In the place of this checkout. @see buildPackage, which comes first */
export function installPackage({ directory }: Project): void {
    const installed = join(directory, "node_modules", "pulumi-etcd");
    rmSync(installed);
    cpSync(join(checkout, "dist"), installed, { recursive: true });
}

/** The `tsconfig.json` that the README tells users to have. */
export function readmeTsconfig(): string {
    const [, config] = /```json\n([^]*?)```/.exec(readFileSync(join(checkout, "README.md"), "utf8"))!;
    return config!;
}
