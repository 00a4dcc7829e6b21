/** The package as it is published, compiled, in `dist/`. It needs no TypeScript where it is installed. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { cacheDirectory } from "./cache";
import { runLogged } from "./command";
import { withLock } from "./lock";

const checkout = join(__dirname, "..");
const target = join(checkout, "dist");
const MANIFEST = "package.json";
/** As they are. */
const COPIED = [
    ...["compileCache.js", "compileCache.d.ts", "trampoline.js", "trampoline.d.ts", "dynamicProvider"].map(
        (name) => `components/${name}`,
    ),
    "docs",
    ...["LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"],
];
const SOURCES = ["components", ...COPIED, MANIFEST, "tsconfig.json", "tsconfig.build.json", "toolchain/package.ts"];
/** Needed by this checkout's own programs only. */
const NOT_NEEDED = ["@swc/core", "ts-node", "typescript", "yaml"];

interface Manifest {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
}

/**
 * Unless it is there and nothing that it is made of is newer; of two at once, one builds.
 *
 * @returns where it is
 * @throws when it does not compile, with what the compiler says
 */
export function buildPackage(): Promise<string> {
    return withLock(join(cacheDirectory(), "locks", "package"), "builds the package", async () => {
        if (!isUpToDate()) await build();
        return target;
    });
}

function isUpToDate(): boolean {
    const built = join(target, MANIFEST);
    return existsSync(built) && newest(SOURCES.map((source) => join(checkout, source))) < statSync(built).mtimeMs;
}

/** When one of these, or of what is in them, was changed last; a directory changes with its names. */
function newest(paths: readonly string[]): number {
    const times = paths.map((path) => {
        const status = statSync(path);
        const within = status.isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [];
        return Math.max(status.mtimeMs, newest(within));
    });
    return Math.max(0, ...times);
}

/** Beside its place first: what is there is whole, whenever this ends. */
async function build(): Promise<void> {
    const began = new Date();
    const partial = join(checkout, "node_modules", ".cache", "package");
    await rm(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    const options = ["--project", "tsconfig.build.json", "--outDir", partial];
    await runLogged(join(checkout, "node_modules", ".bin", "tsc"), options, {
        directory: checkout,
        log: join(cacheDirectory(), "logs", "package.log"),
    });
    for (const path of COPIED) cpSync(join(checkout, path), join(partial, path), { recursive: true });
    const manifest = join(partial, MANIFEST);
    writeFileSync(manifest, `${JSON.stringify(published(), undefined, 4)}\n`);
    // What is changed from now on is newer, also what was read already.
    utimesSync(manifest, began, began);
    await rm(target, { recursive: true, force: true });
    await rename(partial, target);
}

function published(): Manifest {
    const manifest = JSON.parse(readFileSync(join(checkout, MANIFEST), "utf8")) as Manifest;
    const { private: _private, scripts: _scripts, devDependencies: _development, files: _files, ...kept } = manifest;
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
            Object.entries(manifest.dependencies).filter(([name]) => !NOT_NEEDED.includes(name)),
        ),
    };
}
