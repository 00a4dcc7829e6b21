/** etcd's binaries, put on hosts. */
import type { InstallSource } from "../args";
import { afterRepair, messageOf, withNext } from "../membership/errors";
import { renderInstall } from "../host/install";
import { pool } from "../remote/connectionPool";
import { isRemoteError } from "../remote/errors";
import type { SshTarget } from "../remote/target";
import { readArchive } from "./archive";
import type { ProvisionHost, ProvisionInputs } from "./inputs";

/** A slow line may take its time for an archive of 25 MB. Who waits for a session behind it has to wait longer (ssh.ts: TURN_SECONDS). */
const INSTALL_SECONDS = 900;

/** Where it was not installed. */
export interface InstallFailure {
    /** The host, and why: one sentence. */
    readonly message: string;
    /** The host, where it can't be reached, or does not answer. */
    readonly away: SshTarget | undefined;
}

/**
 * Installs on the given hosts. Whether what is behind a URL, or among the distribution's packages, is what is declared shows on the first
 * host, before another one is asked; then all go side by side, and one that fails keeps no other from being finished.
 * @returns where it failed
 */
export async function install(
    inputs: ProvisionInputs,
    hosts: readonly ProvisionHost[],
): Promise<readonly InstallFailure[]> {
    if (hosts.length === 0) return [];
    const { install: source } = inputs;
    const archive = source.source === "file" ? await readArchive(source) : undefined;
    const together = async (some: readonly ProvisionHost[]): Promise<readonly InstallFailure[]> =>
        (await Promise.all(some.map((host) => installOrSay(inputs, host, archive)))).flat();
    if (source.source === "file") return together(hosts);
    const failures = await together(hosts.slice(0, 1));
    return failures.length > 0 ? failures : together(hosts.slice(1));
}

/** What is told of it: all of it, and what to type next. */
export function installError(failures: readonly InstallFailure[]): string {
    const [away] = failures.flatMap((failure) => failure.away ?? []);
    return withNext(failures.map(({ message }) => message).join("\n"), afterRepair(away));
}

async function installOrSay(
    { cluster, install: source, version }: ProvisionInputs,
    host: ProvisionHost,
    archive: Buffer | undefined,
): Promise<readonly InstallFailure[]> {
    const failed = (why: string, away?: SshTarget): readonly InstallFailure[] => [
        { message: `host "${host.name}": etcd ${version} was not installed: ${why}`, away },
    ];
    try {
        const why = await installOn(host, source, version, archive);
        if (why !== undefined) return failed(why);
    } catch (error) {
        return failed(messageOf(error), isRemoteError(error) ? host.ssh : undefined);
    }
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
