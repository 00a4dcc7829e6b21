/** `npm run build`: the package as it is published, compiled, in `dist/`. It needs no TypeScript where it is installed. */
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const checkout = join(__dirname, "..");
const target = join(checkout, "dist");
/** Needed by this checkout's own programs only. */
const notNeeded = ["@swc/core", "ts-node", "typescript", "yaml"];

interface Manifest {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
}

function build(): void {
    rmSync(target, { recursive: true, force: true });
    const { status } = spawnSync(join(checkout, "node_modules", ".bin", "tsc"), ["--project", "tsconfig.build.json"], {
        cwd: checkout,
        stdio: "inherit",
    });
    if (status !== 0) throw new Error("the package does not compile: see above");
    for (const file of [
        "components/trampoline.js",
        "components/trampoline.d.ts",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
    ]) {
        copyFileSync(join(checkout, file), join(target, file));
    }
    cpSync(join(checkout, "docs"), join(target, "docs"), { recursive: true });
    writeFileSync(join(target, "package.json"), `${JSON.stringify(published(), undefined, 4)}\n`);
}

function published(): Manifest {
    const manifest = JSON.parse(readFileSync(join(checkout, "package.json"), "utf8")) as Manifest;
    const { scripts: _scripts, devDependencies: _development, files: _files, ...kept } = manifest;
    return {
        ...kept,
        main: "./components/index.js",
        types: "./components/index.d.ts",
        exports: {
            ".": { types: "./components/index.d.ts", default: "./components/index.js" },
            "./components/*": { types: "./components/*.d.ts", default: "./components/*.js" },
            "./package.json": "./package.json",
        },
        dependencies: Object.fromEntries(
            Object.entries(manifest.dependencies).filter(([name]) => !notNeeded.includes(name)),
        ),
    };
}

build();
