import { mkdirSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import { cacheDirectory } from "./cache";
import { allowedOrigins, choose, type Choice, type Origin } from "./choice";
import { enginePart, findInstalled, languageHostPart } from "./engine";
import { announce, describeChoices } from "./announce";
import { providerPart, providers, pulumiHome, type Provider } from "./providers";

export { artefact, cacheDirectory } from "./cache";
export { etcdBinaries, type EtcdBinaries } from "./etcd";
export { buildPackage } from "./package";
export { skewedClock } from "./skewedClock";

/** A Pulumi engine with all that this project's programs need. */
export interface Toolchain {
    /** The `pulumi` executable. */
    readonly pulumi: string;
    /** The complete environment for engine runs: a Pulumi home, a backend and a passphrase of our own, nobody else's. */
    readonly env: NodeJS.ProcessEnv;
    readonly choices: readonly Choice[];
    /** One line per part: where it is from, and why. */
    readonly describe: () => string;
}

/** Of each checkout its own, and no part of the cache, which may be removed. */
const STATE = join(__dirname, "..", ".lab", "state");
/** The socket of a login that has ended is of no use, and staging fails with it. */
const AGENT = "SSH_AUTH_SOCK";

let resolved: Promise<Toolchain> | undefined;

/**
 * Finds, downloads or builds the engine and the plugins: what is on PATH or installed, else the vendor's download, else a
 * build from Go modules. `PULUMI_ETCD_TOOLCHAIN` = `installed`, `download` or `build` allows only that.
 *
 * @throws when a part can't be had; the message says what to do
 */
export function resolveToolchain(): Promise<Toolchain> {
    return (resolved ??= findToolchain().then((toolchain) => {
        announce(toolchain.choices);
        return toolchain;
    }));
}

/** The same, without a word about what was chosen. */
export async function findToolchain(): Promise<Toolchain> {
    const allowed = allowedOrigins();
    const engine = await choose(enginePart(), allowed);
    const host = await chooseLanguageHost(engine, allowed);
    const plugins = new Map<Provider, Choice>();
    for (const provider of providers) plugins.set(provider, await choose(providerPart(provider), allowed));
    const choices = [engine, ...(host ? [host] : []), ...plugins.values()];
    return {
        pulumi: engine.path,
        env: {
            ...environment([engine, ...(host ? [host] : [])], await pulumiHome(plugins)),
            ...hideOtherPlugins([...plugins.values()]),
        },
        choices,
        describe: () => describeChoices(choices),
    };
}

/** The vendor's archive and our build hold it; somebody's `pulumi` on PATH may come without. */
async function chooseLanguageHost(engine: Choice, allowed: readonly Origin[]): Promise<Choice | undefined> {
    return engine.origin === "installed" ? choose(languageHostPart(engine.path), allowed) : undefined;
}

function environment(executables: readonly Choice[], home: string): NodeJS.ProcessEnv {
    mkdirSync(STATE, { recursive: true });
    const inherited = Object.entries(process.env).filter(([name]) => !isPulumiSetting(name) && name !== AGENT);
    return {
        ...Object.fromEntries(inherited),
        PATH: searchPath(executables),
        PULUMI_HOME: home,
        // Beside each file, the backend writes one of attributes in place: a killed engine may leave it empty, and no run can then read the stack.
        PULUMI_BACKEND_URL: `${pathToFileURL(STATE).href}?metadata=skip`,
        PULUMI_CONFIG_PASSPHRASE: "pulumi-etcd",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        // Compiled code, kept: it takes a fifth off a run without changes.
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(cacheDirectory(), "compile-cache"),
    };
}

// The engine prefers a plugin on PATH to the one in its home, even where another was asked for.
function hideOtherPlugins(plugins: readonly Choice[]): NodeJS.ProcessEnv {
    const isHidden = plugins.some(({ origin, path }) => origin !== "installed" && findInstalled(basename(path)));
    return isHidden ? { PULUMI_IGNORE_AMBIENT_PLUGINS: "true" } : {};
}

// What is ours goes first. What is installed is on PATH already, or beside what is: it must not come before our Node.
function searchPath(executables: readonly Choice[]): string {
    const directories = (ours: boolean): string[] =>
        executables.filter(({ origin }) => (origin === "installed") !== ours).map(({ path }) => dirname(path));
    return [...directories(true), process.env.PATH ?? "", ...directories(false)].join(delimiter);
}

// The user's own settings may point at production: an access token, a backend, a stack.
function isPulumiSetting(name: string): boolean {
    return name.startsWith("PULUMI_") && !name.startsWith("PULUMI_ETCD_");
}
