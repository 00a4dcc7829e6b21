/** etcd's binaries, put on hosts. */
import type { InstallSource } from "../args";
import { renderInstall } from "../host/install";
import { pool } from "../remote/connectionPool";
import { readArchive } from "./archive";
import type { ProvisionHost, ProvisionInputs } from "./inputs";

/** A slow line may take its time for an archive of 25 MB. Who waits for a session behind it has to wait longer (ssh.ts: TURN_SECONDS). */
const INSTALL_SECONDS = 900;

/**
 * Installs on the given hosts. Whether what is behind a URL is what is declared shows on the first host, before another one is asked;
 * then all go side by side, and one that fails keeps no other from being finished.
 * @returns where it failed, and why: one sentence each
 */
export async function install(inputs: ProvisionInputs, hosts: readonly ProvisionHost[]): Promise<readonly string[]> {
    if (hosts.length === 0) return [];
    const { install: source } = inputs;
    const archive = source.source === "file" ? await readArchive(source) : undefined;
    const together = async (some: readonly ProvisionHost[]): Promise<readonly string[]> =>
        (await Promise.all(some.map((host) => installOrSay(inputs, host, archive)))).flat();
    if (source.source !== "url") return together(hosts);
    const failures = await together(hosts.slice(0, 1));
    return failures.length > 0 ? failures : together(hosts.slice(1));
}

async function installOrSay(
    { cluster, install: source, version }: ProvisionInputs,
    host: ProvisionHost,
    archive: Buffer | undefined,
): Promise<readonly string[]> {
    const failure = await installOn(host, source, version, archive).catch((error: Error) => error.message);
    if (failure !== undefined) return [`host "${host.name}": etcd ${version} was not installed: ${failure}`];
    console.log(`[${cluster}] etcd ${version} is installed on "${host.name}"`);
    return [];
}

/** Why it failed, as the script says it; undefined if it did not. */
async function installOn(
    { ssh }: ProvisionHost,
    source: InstallSource,
    version: string,
    archive: Buffer | undefined,
): Promise<string | undefined> {
    const connection = await pool.connect(ssh);
    const script = renderInstall(source, version);
    const { code, stderr } = await connection.run(script, { timeoutSeconds: INSTALL_SECONDS, stdin: archive });
    if (code === 0) return undefined;
    return stderr.trim().split("\n").at(-1) || `the installation ended with exit code ${code}`;
}
