import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

import { artefact, cacheDirectory } from "./cache";
import type { Choice, Part } from "./choice";
import { findInstalled, isOurs, packageVersion } from "./engine";
import { isExecutableFile } from "./findOnPath";
import { goBuild } from "./goBuild";
import { vendorUrls } from "./vendor";

/** The plugins that the package's resources need, at the versions of their npm packages. */
export const providers = ["command", "tls"] as const;
export type Provider = (typeof providers)[number];

const sources = join(__dirname, "plugins");

export function providerPart(provider: Provider): Part {
    const version = providerVersion(provider);
    const urls = vendorUrls.plugin(provider, version);
    const executable = executableName(provider);
    return {
        name: `plugin ${provider}`,
        // In the engine's own order.
        installed: () => findInstalled(executable) ?? findInPulumiHome(provider, version),
        archive: { name: `plugin-${provider}-download`, version, urls, executable, depth: 0 },
        build: async () => join(await buildPlugins(), executable),
        remedy: `run \`pulumi plugin install resource ${provider} ${version}\``,
    };
}

/**
 * A Pulumi home of our own that holds these plugins. The engine finds them there by version, without a search and without a
 * warning. Which stack is selected is kept outside it, as that is not to change with the plugins.
 */
export function pulumiHome(choices: ReadonlyMap<Provider, Choice>): Promise<string> {
    const plugins = [...choices].map(([provider, { path }]) => ({
        provider,
        path,
        version: providerVersion(provider),
    }));
    const digest = createHash("sha256").update(JSON.stringify(plugins)).digest("hex").slice(0, 12);
    return artefact("home", digest, (directory) => {
        const workspaces = join(cacheDirectory(), "workspaces");
        mkdirSync(workspaces, { recursive: true });
        symlinkSync(workspaces, join(directory, "workspaces"));
        for (const { provider, path, version } of plugins) {
            const place = join(directory, "plugins", `resource-${provider}-v${version}`);
            mkdirSync(place, { recursive: true });
            symlinkSync(path, join(place, executableName(provider)));
        }
        return Promise.resolve();
    });
}

function executableName(provider: Provider): string {
    return `pulumi-resource-${provider}`;
}

function providerVersion(provider: Provider): string {
    return packageVersion(`@pulumi/${provider}`);
}

/** A plugin that the user has installed for that very version. */
function findInPulumiHome(provider: Provider, version: string): string | undefined {
    const home = process.env.PULUMI_HOME ?? join(homedir(), ".pulumi");
    const file = join(home, "plugins", `resource-${provider}-v${version}`, executableName(provider));
    return isExecutableFile(file) && !isOurs(file) ? file : undefined;
}

function buildPlugins(): Promise<string> {
    const files = sourceFiles(sources);
    const hash = createHash("sha256");
    for (const file of files) hash.update(`${file}\n`).update(readFileSync(join(sources, file)));
    const digest = hash.digest("hex").slice(0, 12);
    return artefact("plugins", digest, async (directory, progress) => {
        progress("building pulumi-resource-command and pulumi-resource-tls, once");
        const flags = ["-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", "-s -w"];
        // go build names each executable after the folder of its command.
        await goBuild("plugins", sources, [...flags, "-o", `${directory}/`, "./cmd/..."]);
    });
}

/** What the build depends on: sources and checksums, not tests. */
function sourceFiles(directory: string): readonly string[] {
    return (readdirSync(directory, { recursive: true }) as string[])
        .filter((file) => /(\.go|^go\.(mod|sum))$/.test(file) && !file.endsWith("_test.go"))
        .sort();
}
