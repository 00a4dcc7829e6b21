import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, linkSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

import { artefact, cacheDirectory } from "./cache";
import type { Part } from "./choice";
import { findOnPath, isExecutableFile } from "./findOnPath";
import { buildFromModules, recipeDigest, type GoProgram } from "./goBuild";
import { vendorUrls } from "./vendor";

const languageHost = "pulumi-language-nodejs";
const dynamicProvider = "pulumi-resource-pulumi-nodejs";

/** The newest engine and language host whose Go modules are published. */
const builtEngine = "3.255.0";
const builtLanguageHost = "3.68.0";

const versionVariable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";

/** The engine, with the language host and the dynamic provider's host beside it, as the vendor packs them. */
export function enginePart(): Part {
    const version = packageVersion("@pulumi/pulumi");
    const urls = vendorUrls.engine(version);
    return {
        name: "pulumi",
        installed: () => findInstalled("pulumi"),
        archive: { name: "pulumi-download", version, urls, executable: "pulumi", depth: 1 },
        build: async () =>
            join(await assemble("engine", builtEngine, [await buildCli(), await buildLanguageHost()]), "pulumi"),
        remedy: "install it from https://www.pulumi.com/docs/install/",
    };
}

/** The Node language host. Needed by itself only where a `pulumi` was installed without it. */
export function languageHostPart(engine: string): Part {
    return {
        name: languageHost,
        installed: () => beside(engine, languageHost) ?? findInstalled(languageHost),
        build: async () =>
            join(await assemble("language-host", builtLanguageHost, [await buildLanguageHost()]), languageHost),
        remedy: "install it beside pulumi",
    };
}

export function packageVersion(name: string): string {
    const file = require.resolve(`${name}/package.json`);
    return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

/** An executable on PATH that is not our own: our environment may be inherited. */
export function findInstalled(name: string): string | undefined {
    const found = findOnPath(name);
    return found && isOurs(found) ? undefined : found;
}

/** Whether it lies in our cache. */
export function isOurs(path: string): boolean {
    return path.startsWith(`${cacheDirectory()}${sep}`);
}

function beside(engine: string, name: string): string | undefined {
    return [engine, realpathSync(engine)].map((path) => join(dirname(path), name)).find(isExecutableFile);
}

/** Puts executables and the dynamic provider's host, which the npm package has, into one folder. */
function assemble(name: string, version: string, executables: readonly string[]): Promise<string> {
    const dynamic = require.resolve(`@pulumi/pulumi/${dynamicProvider}`);
    const parts = JSON.stringify([executables, readFileSync(dynamic, "utf8")]);
    const digest = createHash("sha256").update(parts).digest("hex").slice(0, 12);
    return artefact(name, `${version}-${digest}`, (into) => {
        // Linked, not symlinked: the engine looks beside the place where its own executable really is.
        for (const file of executables) linkSync(file, join(into, basename(file)));
        copyFileSync(dynamic, join(into, dynamicProvider));
        chmodSync(join(into, dynamicProvider), 0o755);
        return Promise.resolve();
    });
}

function buildCli(): Promise<string> {
    return buildPinned("pulumi-cli", builtEngine, "engine", {
        output: "pulumi",
        package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        ldflags: `-X ${versionVariable}=v${builtEngine}`,
    });
}

function buildLanguageHost(): Promise<string> {
    return buildPinned(languageHost, builtLanguageHost, "languageHost", {
        output: languageHost,
        package: `github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/${languageHost}`,
        ldflags: `-X ${versionVariable}=v${builtLanguageHost}`,
    });
}

async function buildPinned(name: string, version: string, recipeName: string, program: GoProgram): Promise<string> {
    const recipe = join(__dirname, recipeName);
    const key = `${version}-${recipeDigest(recipe, [program])}`;
    const directory = await artefact(name, key, (into, progress) =>
        buildFromModules(`${name} ${version}`, recipe, [program], into, progress),
    );
    return join(directory, program.output);
}
