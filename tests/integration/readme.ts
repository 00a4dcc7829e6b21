/** What the README gives users for their programs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The first program. */
export function readmeProgram(): string {
    return firstInReadme("ts");
}

/** The `tsconfig.json`. */
export function readmeTsconfig(): string {
    return firstInReadme("json");
}

/** What it adds to `Pulumi.yaml`. */
export function readmePlugins(): string {
    return firstInReadme("yaml");
}

export function readme(): string {
    return readFileSync(join(__dirname, "..", "..", "README.md"), "utf8");
}

function firstInReadme(language: string): string {
    const [, block] = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(readme())!;
    return block!;
}
