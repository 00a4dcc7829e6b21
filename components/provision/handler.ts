/** check, diff, create, read, update, remove: what the engine asks of `EtcdProvision`. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

import { endWithEngine } from "../engineLife";
import { renderInstall, renderInstallCheck } from "../host/install";
import { hostPaths } from "../host/paths";
import { clearHosts } from "../membership/clear";
import { pool } from "../remote/connectionPool";
import { isSame, isUnknown } from "../stateValues";
import { factsScript, problemsOf } from "./facts";
import type { ProvisionHost, ProvisionInputs, ProvisionState } from "./inputs";

endWithEngine();

/** What a look at one host found. */
interface Look {
    readonly host: ProvisionHost;
    readonly problems: readonly string[];
    readonly isInstalled: boolean;
    /** Our files are there, or were never. */
    readonly isStaged: boolean;
}

/**
 * Shows what speaks against a host in the preview already; only `up` fails on it, and before it has changed anything. The incarnations
 * are settled here, as an input, so that a preview knows them.
 */
export async function check(
    olds: Partial<ProvisionState>,
    news: ProvisionInputs,
): Promise<{ inputs: ProvisionInputs }> {
    const before = olds.incarnations ?? {};
    const looks = await report(news);
    const incarnations = Object.fromEntries(news.hosts.map(({ name }) => [name, before[name] ?? "1"]));
    for (const { host, isStaged } of looks) {
        if (!isStaged && before[host.name] !== undefined)
            incarnations[host.name] = String(Number(before[host.name]) + 1);
    }
    return { inputs: { ...news, incarnations } };
}

export async function diff(_id: string, olds: ProvisionState, news: ProvisionInputs): Promise<{ changes: boolean }> {
    const looks = isUnknown(news.hosts) ? [] : await lookAtAll(news);
    const isMissing = looks.some(({ isInstalled }) => !isInstalled);
    const isDeclaredOtherwise = Object.entries(news).some(
        ([key, value]) => !isSame(value, olds[key as keyof ProvisionState]),
    );
    return { changes: isMissing || isDeclaredOtherwise || problemsIn(looks).length > 0 };
}

export async function create(inputs: ProvisionInputs): Promise<{ id: string; outs: ProvisionState }> {
    return { id: inputs.clusterToken, outs: await provision(inputs) };
}

export async function update(
    _id: string,
    _olds: ProvisionState,
    news: ProvisionInputs,
): Promise<{ outs: ProvisionState }> {
    return { outs: await provision(news) };
}

export async function read(id: string, props: ProvisionState): Promise<{ id: string; props: ProvisionState }> {
    return Promise.resolve({ id, props });
}

/** Membership has cleared its hosts by now. A first run that never came that far has left files: those go here. */
export async function remove(_id: string, props: ProvisionState): Promise<void> {
    await clearHosts(props, props.hosts);
}

/** Nothing is changed anywhere before every host was looked at, and found fit. */
async function provision(inputs: ProvisionInputs): Promise<ProvisionState> {
    const looks = await lookAtAll(inputs);
    const problems = problemsIn(looks);
    if (problems.length > 0) throw new Error(`nothing was changed on any host:\n${problems.join("\n")}`);
    await install(
        inputs,
        looks.filter((look) => !look.isInstalled).map((look) => look.host),
    );
    recent.clear();
    return inputs;
}

async function install(
    { cluster, install: source, version }: ProvisionInputs,
    hosts: readonly ProvisionHost[],
): Promise<void> {
    if (hosts.length === 0) return;
    const archive = source.source === "file" ? await readArchive(source.path, source.sha256) : undefined;
    await Promise.all(
        hosts.map(async (host) => {
            const connection = await pool.connect(host.ssh);
            await connection.runOrThrow(`install etcd ${version} on "${host.name}"`, renderInstall(source, version), {
                timeoutSeconds: 900,
                ...(archive && { stdin: archive }),
            });
            console.log(`[${cluster}] etcd ${version} is installed on "${host.name}"`);
        }),
    );
}

async function readArchive(path: string, sha256: string): Promise<Buffer> {
    const archive = await readFile(path).catch((error: NodeJS.ErrnoException) => {
        throw new Error(
            `install.path "${path}" can't be read (${error.code ?? error.message}); give the path of etcd's release archive on this machine`,
        );
    });
    const found = createHash("sha256").update(archive).digest("hex");
    if (found !== sha256.toLowerCase()) {
        throw new Error(
            `install.path "${path}" has the sha256 ${found}, wanted is ${sha256}; give the right archive, or correct install.sha256`,
        );
    }
    return archive;
}

/** The looks that this process took last: the engine asks for check, diff and update in turn. */
const recent = new Map<string, { readonly atMs: number; readonly looks: Promise<readonly Look[]> }>();
const RECENT_MS = 2000;

function lookAtAll(inputs: ProvisionInputs): Promise<readonly Look[]> {
    const asked = { ...inputs, incarnations: undefined };
    const key = JSON.stringify(asked);
    const known = recent.get(key);
    if (known && performance.now() - known.atMs < RECENT_MS) return known.looks;
    const looks = Promise.all(inputs.hosts.map((host) => lookAt(inputs, host)));
    recent.set(key, { atMs: performance.now(), looks });
    return looks;
}

async function lookAt(inputs: ProvisionInputs, host: ProvisionHost): Promise<Look> {
    const paths = hostPaths(inputs.cluster, inputs.dataDir);
    const ask = {
        ...host,
        clusterToken: inputs.clusterToken,
        firewall: inputs.firewall,
        needsApt: inputs.install.source === "debian",
    };
    try {
        const connection = await pool.connect(host.ssh);
        const [{ stdout }, check] = await Promise.all([
            connection.run(factsScript(paths, ask)),
            connection.run(renderInstallCheck(inputs.install, inputs.version)),
        ]);
        return {
            host,
            problems: problemsOf(paths, ask, stdout, Date.now() / 1000),
            isInstalled: check.stdout.trim() === "present",
            isStaged: /^mark=/m.test(stdout),
        };
    } catch (error) {
        return {
            host,
            problems: [error instanceof Error ? error.message : String(error)],
            isInstalled: true,
            isStaged: true,
        };
    }
}

function problemsIn(looks: readonly Look[]): readonly string[] {
    return looks.flatMap(({ host, problems }) =>
        problems.map((problem) => `host "${host.name}" (${host.address}): ${problem}`),
    );
}

async function report(inputs: ProvisionInputs): Promise<readonly Look[]> {
    if (isUnknown(inputs.hosts)) return [];
    const looks = await lookAtAll(inputs);
    for (const problem of problemsIn(looks)) console.log(`[${inputs.cluster}] up will stop here: ${problem}`);
    return looks;
}
