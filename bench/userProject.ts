/** A user's project: the package as it is published, in a TypeScript program and with a tsconfig.json as the README shows them. */
import { spawnSync } from "node:child_process";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Project } from "../tests/integration/project";

const checkout = join(__dirname, "..");

/** Programs import the SDK themselves, for their configuration at least; that is most of what they load. */
const PROGRAM = `import { EtcdCluster, type EtcdClusterArgs } from "pulumi-etcd";
import * as pulumi from "@pulumi/pulumi";
import { readFileSync } from "node:fs";

const file = new pulumi.Config().get("clusters") ?? "clusters.json";
const declared = JSON.parse(readFileSync(file, "utf8")) as Record<string, EtcdClusterArgs>;

export = Object.fromEntries(
    Object.entries(declared).map(([name, args]) => {
        const { endpoints, members, clusterId, operator } = new EtcdCluster(name, args);
        return [name, { endpoints, members, clusterId, operator }];
    }),
);
`;

export function buildPackage(): void {
    const { status } = spawnSync(process.execPath, [
        join(checkout, "toolchain", "bootstrap.js"),
        join(checkout, "toolchain", "package.ts"),
    ]);
    if (status !== 0) throw new Error("the package can't be built: run npm run build");
}

/** @see buildPackage, which comes first */
export async function openUserProject(): Promise<Project> {
    const project = await Project.open();
    const installed = join(project.directory, "node_modules", "pulumi-etcd");
    rmSync(installed);
    cpSync(join(checkout, "dist"), installed, { recursive: true });
    writeFileSync(join(project.directory, "index.ts"), PROGRAM);
    setTypeCheck(project, false);
    return project;
}

/** By what `pulumi new` writes, every run checks types; the README says otherwise. */
export function setTypeCheck({ directory }: Project, isOn: boolean): void {
    const compilerOptions = { strict: true, target: "es2020", module: "commonjs", moduleResolution: "node" };
    const config = { compilerOptions, "ts-node": { transpileOnly: !isOn }, files: ["index.ts"] };
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(config));
}
