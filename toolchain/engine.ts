import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, linkSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { artefact, cacheDirectory } from "./cache";
import type { Part } from "./choice";
import { downloadArchive } from "./download";
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
        urls,
        download: async () => {
            const directory = await artefact("pulumi-download", version, (into, progress) =>
                downloadArchive(urls, into, progress, 1),
            );
            return join(directory, "pulumi");
        },
        build: buildEngine,
        remedy: "install it from https://www.pulumi.com/docs/install/",
    };
}

/** The Node language host. Needed by itself only where a `pulumi` was installed without it. */
export function languageHostPart(engine: string): Part {
    return {
        name: languageHost,
        installed: () => beside(engine, languageHost) ?? findInstalled(languageHost),
        urls: [],
        download: () => Promise.reject(new Error("comes with the engine")),
        build: async () => join(await buildLanguageHost(), languageHost),
        remedy: "install it beside pulumi",
    };
}

export function packageVersion(name: string): string {
    return (require(`${name}/package.json`) as { version: string }).version;
}

/** An executable on PATH that is not our own: our environment may be inherited. */
export function findInstalled(name: string): string | undefined {
    const found = findOnPath(name);
    return found?.startsWith(cacheDirectory()) ? undefined : found;
}

function beside(engine: string, name: string): string | undefined {
    return [engine, realpathSync(engine)].map((path) => join(dirname(path), name)).find(isExecutableFile);
}

async function buildEngine(): Promise<string> {
    const cli = await buildCli();
    const host = await buildLanguageHost();
    const dynamic = require.resolve(`@pulumi/pulumi/${dynamicProvider}`);
    const parts = [basename(cli), basename(host), readFileSync(dynamic, "utf8")];
    const digest = createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 12);
    const directory = await artefact("engine", `${builtEngine}-${digest}`, (into) => {
        // Linked, not symlinked: the engine looks beside the place where its own executable really is.
        linkSync(join(cli, "pulumi"), join(into, "pulumi"));
        linkSync(join(host, languageHost), join(into, languageHost));
        copyFileSync(dynamic, join(into, dynamicProvider));
        chmodSync(join(into, dynamicProvider), 0o755);
        return Promise.resolve();
    });
    return join(directory, "pulumi");
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

function buildPinned(name: string, version: string, recipeName: string, program: GoProgram): Promise<string> {
    const recipe = join(__dirname, recipeName);
    return artefact(name, `${version}-${recipeDigest(recipe, [program])}`, (directory, progress) =>
        buildFromModules(`${name} ${version}`, recipe, [program], directory, progress),
    );
}
