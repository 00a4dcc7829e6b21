/**
 * The floor that every figure is a ratio to: `pulumi up` of the empty program that `pulumi new typescript` makes, type-checked, as it is
 * unless somebody says otherwise.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { resolveToolchain } from "../toolchain";

const checkout = join(__dirname, "..");
/** What an empty program has installed; no plugin is looked for. */
const packages = ["@pulumi/pulumi", "typescript", "ts-node", "@types/node"];

const TSCONFIG = {
    compilerOptions: {
        strict: true,
        outDir: "bin",
        target: "es2020",
        module: "commonjs",
        moduleResolution: "node",
        sourceMap: true,
        experimentalDecorators: true,
        pretty: true,
        noFallthroughCasesInSwitch: true,
        noImplicitReturns: true,
        forceConsistentCasingInFileNames: true,
    },
    files: ["index.ts"],
};

export interface Floor {
    /** One `pulumi up` of the empty program, in seconds. */
    readonly measure: (settings?: NodeJS.ProcessEnv) => Promise<number>;
    readonly close: () => void;
}

export async function openFloor(): Promise<Floor> {
    const { pulumi, env } = await resolveToolchain();
    const directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-floor-"));
    for (const scope of ["@pulumi", "@types"]) mkdirSync(join(directory, "node_modules", scope), { recursive: true });
    for (const name of packages)
        symlinkSync(join(checkout, "node_modules", name), join(directory, "node_modules", name));
    mkdirSync(join(directory, "backend"));
    writeFileSync(
        join(directory, "package.json"),
        `{ "name": "floor", "main": "index.ts", "dependencies": { "@pulumi/pulumi": "*" } }\n`,
    );
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(TSCONFIG));
    writeFileSync(join(directory, "Pulumi.yaml"), "name: floor\nruntime: nodejs\nmain: index.ts\n");
    writeFileSync(join(directory, "index.ts"), `import * as pulumi from "@pulumi/pulumi";\n`);
    const run = (args: readonly string[], settings: NodeJS.ProcessEnv = {}): Promise<number> => {
        const began = performance.now();
        const child = spawn(pulumi, [...args, "--non-interactive"], {
            cwd: directory,
            env: { ...env, PULUMI_BACKEND_URL: `file://${join(directory, "backend")}`, ...settings },
            stdio: "ignore",
        });
        return new Promise((resolve, reject) => {
            child.on("error", reject);
            child.on("close", (code) => {
                if (code === 0) resolve((performance.now() - began) / 1000);
                else reject(new Error(`pulumi ${args.join(" ")} ended with exit code ${code} for an empty program`));
            });
        });
    };
    await run(["stack", "init", "floor"]);
    return {
        measure: (settings) => run(["up", "--yes", "--skip-preview"], settings),
        close: () => rmSync(directory, { recursive: true, force: true }),
    };
}
