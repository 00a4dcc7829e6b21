/** A user's project: the package as it is published, in a TypeScript program, with its settings as the README shows them. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Project } from "../tests/integration/project";
import { installPackage } from "../tests/integration/published";
import { readmePlugins, readmeTsconfig } from "../tests/integration/readme";

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

export async function openUserProject(): Promise<Project> {
    const project = await Project.open();
    installPackage(project);
    setTypeCheck(project, false);
    return project;
}

/** Without the README's lines, the engine begins the provider for dynamic resources by itself. */
export function setProviderLines({ directory }: Project, isOn: boolean): void {
    const file = join(directory, "Pulumi.yaml");
    const without = readFileSync(file, "utf8").replace(readmePlugins(), "");
    writeFileSync(file, isOn ? without + readmePlugins() : without);
}

/** By what `pulumi new` writes, every run checks types; the README says otherwise. */
export function setTypeCheck(project: Project, isOn: boolean): void {
    const { "ts-node": transpiling, ...config } = JSON.parse(readmeTsconfig()) as Record<string, unknown>;
    project.useTypeScript(PROGRAM, JSON.stringify(isOn ? config : { ...config, "ts-node": transpiling }));
}
