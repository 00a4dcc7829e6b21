/**
 * The floor that every figure is a ratio to: `pulumi up` of the empty program that `pulumi new typescript` makes, type-checked, as it is
 * unless somebody says otherwise. And the least that any package with dynamic resources takes, whatever they do.
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

const EMPTY = `import * as pulumi from "@pulumi/pulumi";\n`;

/** One dynamic resource that does nothing, in a program whose types nobody checks. */
const LEAST = `import * as pulumi from "@pulumi/pulumi";

const nothing = {
    create: async () => ({ id: "nothing", outs: {} }),
    diff: async () => ({ changes: false }),
};
const handler = \`exports.handler = () => ({ create: \${nothing.create}, diff: \${nothing.diff} })\`;
new pulumi.CustomResource("pulumi-nodejs:dynamic/bench:Nothing", "nothing", { __provider: handler });
`;

export interface Floor {
    /** One `pulumi up` of the program, in seconds. */
    readonly measure: (settings?: NodeJS.ProcessEnv) => Promise<number>;
    readonly close: () => void;
}

export function openFloor(): Promise<Floor> {
    return openProgram(EMPTY, TSCONFIG);
}

export function openLeast(): Promise<Floor> {
    return openProgram(LEAST, { ...TSCONFIG, "ts-node": { transpileOnly: true } });
}

async function openProgram(program: string, tsconfig: object): Promise<Floor> {
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
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(tsconfig));
    writeFileSync(join(directory, "Pulumi.yaml"), "name: floor\nruntime: nodejs\nmain: index.ts\n");
    writeFileSync(join(directory, "index.ts"), program);
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
                else reject(new Error(`pulumi ${args.join(" ")} ended with exit code ${code} for the floor`));
            });
        });
    };
    await run(["stack", "init", "floor"]);
    return {
        measure: (settings) => run(["up", "--yes", "--skip-preview"], settings),
        close: () => rmSync(directory, { recursive: true, force: true }),
    };
}
