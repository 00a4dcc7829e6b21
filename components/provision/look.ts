/** All hosts of a cluster → what is there, and what speaks against them. Changes nothing. */
import { takeoverProblems } from "../adoption/preflight";
import { otherMachine, otherVersion, parseReleaseName } from "../host/release";
import { pool } from "../remote/connectionPool";
import { whyCommandFails } from "../remote/sessionAgent";
import { canonical } from "../stateValues";
import { firstEntry, readArchive } from "./archive";
import type { Facts } from "./facts";
import type { Before, ProvisionHost, ProvisionInputs } from "./inputs";
import { moveProblems, problemsOf, twinProblems } from "./problems";
import { rotationProblems } from "./rotationProblems";
import { see, type Sight } from "./sight";

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

/** What is looked at again by the engine's next question: it asks for check, diff and update in turn. */
const recent = new Map<string, { readonly looks: Promise<Looks>; endedMs: number | undefined }>();
const RECENT_MS = 5000;

/**
 * Never fails: what can't be seen is a problem. A look that was just taken is not taken again, however long it took.
 *
 * @param before what this state has had before
 * @param ahead what the program has just seen of the same hosts @default undefined: they are looked at from here
 */
export function lookAtAll(inputs: ProvisionInputs, before: Before, ahead?: readonly Sight[]): Promise<Looks> {
    const asked = { ...inputs, incarnations: undefined, inherited: undefined };
    const key = canonical([asked, before.authorities, before.hosts.map(({ name, address }) => [name, address])]) ?? "";
    const known = recent.get(key);
    if (known && (known.endedMs === undefined || performance.now() - known.endedMs < RECENT_MS)) return known.looks;
    const looks = look(inputs, before, ahead);
    const entry = { looks, endedMs: undefined as number | undefined };
    recent.set(key, entry);
    void looks.then(() => (entry.endedMs = performance.now()));
    return looks;
}

/** After something was changed. */
export function forgetLooks(): void {
    recent.clear();
}

async function look(inputs: ProvisionInputs, before: Before, ahead: readonly Sight[] | undefined): Promise<Looks> {
    // Between the program and here, a transform may have changed the list.
    const isOfThese = ahead?.map(({ address }) => address).join() === inputs.hosts.map(({ address }) => address).join();
    const sights = ahead && isOfThese ? ahead : await see(pool, inputs);
    const hosts = inputs.hosts.map((host, index) => judged(inputs, host, sights[index]!));
    const archive = await archiveProblems(inputs, hosts);
    const own = hosts.flatMap(({ problems }) => problems);
    const rotation = rotationProblems(inputs, hosts, before);
    // Where all is there, nothing may be to be staged.
    const isToBeStaged = hosts.some(({ facts }) => facts && !(facts.isInstalled && facts.isStaged));
    const agent = (isToBeStaged && (await whyCommandFails(inputs.hosts.map(({ ssh }) => ssh)))) || [];
    const found = [agent, archive, own, twinProblems(hosts), moveProblems(hosts), rotation].flat();
    // Whether a cluster can be taken over is asked of etcd, once nothing else speaks against it.
    return { hosts, problems: found.length > 0 ? found : await takeoverProblems(inputs, hosts) };
}

function judged(inputs: ProvisionInputs, host: ProvisionHost, sight: Sight): HostLook {
    if ("failure" in sight) return { host, facts: undefined, problems: [`host "${host.name}": ${sight.failure}`] };
    const { facts, hostKeyProblems } = sight;
    return {
        host,
        facts,
        problems: [
            ...hostKeyProblems.map((problem) => `host "${host.name}": ${problem}`),
            ...problemsOf(inputs, host, facts, sight).map(
                (problem) => `host "${host.name}" (${host.address}): ${problem}`,
            ),
        ],
    };
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
