/** etcd's binaries, put on hosts. */
import type { InstallSource } from "../args";
import { renderInstall } from "../host/install";
import { pool } from "../remote/connectionPool";
import { readArchive } from "./archive";
import type { ProvisionHost, ProvisionInputs } from "./inputs";

/** A slow line may take its time for an archive of 25 MB. */
const INSTALL_SECONDS = 900;

/**
 * Installs on all the given hosts side by side; one that fails keeps no other from being finished.
 * @returns where it failed, and why: one sentence each
 */
export async function install(inputs: ProvisionInputs, hosts: readonly ProvisionHost[]): Promise<readonly string[]> {
    if (hosts.length === 0) return [];
    const { cluster, install: source, version } = inputs;
    const archive = source.source === "file" ? await readArchive(source) : undefined;
    const failures = await Promise.all(
        hosts.map(async (host) => {
            const failure = await installOn(host, source, version, archive).catch((error: Error) => error.message);
            if (failure !== undefined) return [`host "${host.name}": etcd ${version} was not installed: ${failure}`];
            console.log(`[${cluster}] etcd ${version} is installed on "${host.name}"`);
            return [];
        }),
    );
    return failures.flat();
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
