/** The package as it is published, for projects that install it, and the settings that its README gives them. */
import { cpSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";

import type { Project } from "./project";

const checkout = join(__dirname, "..", "..");

/** As npm does: all of it in the project, whatever becomes of this checkout. */
export function installPackage({ directory }: Project): void {
    const installed = join(directory, "node_modules", "pulumi-etcd");
    const built = realpathSync(installed);
    rmSync(installed);
    cpSync(built, installed, { recursive: true });
}

/** The `tsconfig.json` that the README tells users to have. */
export function readmeTsconfig(): string {
    const [, config] = /```json\n([^]*?)```/.exec(readFileSync(join(checkout, "README.md"), "utf8"))!;
    return config!;
}
