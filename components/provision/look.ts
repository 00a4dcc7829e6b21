/** All hosts of a cluster → what is there, and what speaks against them. Changes nothing. */
import { together } from "../adoption/authorities";
import { readFiles } from "../adoption/lent";
import { takeoverProblems } from "../adoption/preflight";
import { otherMachine, otherVersion, parseReleaseName } from "../host/release";
import { pool, type SshConnection } from "../remote/connectionPool";
import { isRemoteError } from "../remote/errors";
import { whyCommandRefuses } from "../remote/hostKeys";
import { wholeAnswer } from "../remote/wholeAnswer";
import { canonical } from "../stateValues";
import { firstEntry, readArchive } from "./archive";
import { factsScript, parseFacts, type Facts } from "./facts";
import type { ProvisionHost, ProvisionInputs } from "./inputs";
import { moveProblems, problemsOf, twinProblems } from "./problems";
import { rotationProblems } from "./rotationProblems";

export interface Looks {
    readonly hosts: readonly HostLook[];
    /** Why nothing may be changed on any host: one sentence each. */
    readonly problems: readonly string[];
}

export interface HostLook {
    readonly host: ProvisionHost;
    /** Undefined for a host that can't be looked at. */
    readonly facts: Facts | undefined;
    readonly problems: readonly string[];
}

/** A host that let us in and then says nothing, as one does whose disk hangs. */
const LOOK_SECONDS = 30;

/** What is looked at again by the engine's next question: it asks for check, diff and update in turn. */
const recent = new Map<string, { readonly looks: Promise<Looks>; endedMs: number | undefined }>();
const RECENT_MS = 5000;

/**
 * Never fails: what can't be seen is a problem. A look that was just taken is not taken again, however long it took.
 *
 * @param before hosts that this state has had before
 */
export function lookAtAll(inputs: ProvisionInputs, before: readonly ProvisionHost[]): Promise<Looks> {
    const asked = { ...inputs, incarnations: undefined, inherited: undefined };
    const key = canonical([asked, before.map(({ name, address }) => [name, address])]) ?? "";
    const known = recent.get(key);
    if (known && (known.endedMs === undefined || performance.now() - known.endedMs < RECENT_MS)) return known.looks;
    const looks = look(inputs, before);
    const entry = { looks, endedMs: undefined as number | undefined };
    recent.set(key, entry);
    void looks.then(() => (entry.endedMs = performance.now()));
    return looks;
}

/** After something was changed. */
export function forgetLooks(): void {
    recent.clear();
}

async function look(inputs: ProvisionInputs, before: readonly ProvisionHost[]): Promise<Looks> {
    const hosts = await Promise.all(inputs.hosts.map((host) => lookAt(inputs, host)));
    const archive = await archiveProblems(inputs, hosts);
    const own = hosts.flatMap(({ problems }) => problems);
    const rotation = rotationProblems(inputs, hosts, before);
    const found = [...archive, ...own, ...twinProblems(hosts), ...moveProblems(hosts), ...rotation];
    // Whether a cluster can be taken over is asked of etcd, once nothing else speaks against it.
    return { hosts, problems: found.length > 0 ? found : await takeoverProblems(inputs, hosts) };
}

async function lookAt(inputs: ProvisionInputs, host: ProvisionHost): Promise<HostLook> {
    try {
        const connection = await pool.connect(host.ssh);
        const answer = await wholeAnswer(connection, factsScript(inputs, host), LOOK_SECONDS);
        const facts = await withAuthorities(connection, parseFacts(answer));
        const problems = problemsOf(inputs, host, facts, Date.now() / 1000);
        return {
            host,
            facts,
            problems: [
                ...hostKeyProblems(connection).map((problem) => `host "${host.name}": ${problem}`),
                ...problems.map((problem) => `host "${host.name}" (${host.address}): ${problem}`),
            ],
        };
    } catch (error) {
        return { host, facts: undefined, problems: [`host "${host.name}": ${whyNot(error)}`] };
    }
}

/** Staging logs in by `@pulumi/command`, and so by one key of each host on the way. */
function hostKeyProblems({ target, hostKey, bastion }: SshConnection): readonly string[] {
    const own = whyCommandRefuses(target, hostKey);
    return [...(bastion ? hostKeyProblems(bastion) : []), ...(own === undefined ? [] : [own])];
}

/** What was set up by hand trusts whom its own settings name. */
async function withAuthorities(connection: SshConnection, facts: Facts): Promise<Facts> {
    if (!facts.foreign?.isRunning) return facts;
    const { options } = facts.foreign;
    const [clientCa, peerCa] = [options.get("trusted-ca-file"), options.get("peer-trusted-ca-file")];
    if (!clientCa || !peerCa) return facts;
    return { ...facts, authorities: together([await readFiles(connection, { clientCa, peerCa })]) };
}

function whyNot(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    const isAway = isRemoteError(error, "unreachable") || isRemoteError(error, "refused");
    return isAway ? `${message}, or take it off the list` : message;
}

/** Of an archive on this machine, if it is needed. */
async function archiveProblems(
    { install, version }: ProvisionInputs,
    looks: readonly HostLook[],
): Promise<readonly string[]> {
    const bare = looks.filter(({ facts }) => facts?.isInstalled === false);
    if (install.source !== "file" || bare.length === 0) return [];
    try {
        const release = parseReleaseName(firstEntry(await readArchive(install)));
        const found = otherVersion(release, version);
        if (found !== undefined) return [`install.path "${install.path}" ${found}`];
        return bare.flatMap(({ host, facts }) => {
            const misfit = otherMachine(release, facts?.machine);
            return misfit === undefined ? [] : [`host "${host.name}" (${host.address}): the archive ${misfit}`];
        });
    } catch (error) {
        return [(error as Error).message];
    }
}
