/** check, diff, create, read, update, remove: what the engine asks of `EtcdProvision`. */
import { keepCompiled } from "../compileCache";

import { randomUUID } from "node:crypto";

import { endWithEngine } from "../engineLife";
import { NOBODY, unlessNobody } from "../adoption/authorities";
import { inheritance } from "../adoption/takeover";
import { noteTouched } from "../membership/ahead";
import { clearLocked } from "../membership/clear";
import { afterFailure, afterRepair, withNext } from "../membership/errors";
import { giveBackLock, keepLock, type LockedWork } from "../membership/locked";
import { unpack } from "../packed";
import { isSame, isUnknown } from "../stateValues";
import type { Before, ProvisionArgs, ProvisionInputs, ProvisionState } from "./inputs";
import { install, installError } from "./install";
import { tellDrift } from "./drift";
import { noteEdited } from "./edited";
import { forgetLooks, lookAtAll, type HostLook, type Looks } from "./look";
import { beginPreflight, tellPreflight } from "./preflight";
import type { Sight } from "./sight";
import { noteStop } from "./stops";

endWithEngine();

/**
 * Shows what speaks against hosts in the preview already; only `up` fails on it, and before it has changed anything. The incarnations
 * and the owner are settled here, as inputs, so that a preview knows them.
 */
export async function check(
    olds: Partial<ProvisionState>,
    { isPreview, tuning, ahead, ...declared }: ProvisionArgs,
): Promise<{ inputs: ProvisionInputs }> {
    const news = { ...declared, owner: olds.owner ?? randomUUID() };
    const before = new Map(Object.entries(olds.incarnations ?? {}));
    const incarnations = Object.fromEntries(news.hosts.map(({ name }) => [name, before.get(name) ?? "1"]));
    const looks = await lookIfKnown(news, olds, unpack(ahead));
    const inherited = news.adopt && (unlessNobody(olds.inherited) ?? inheritance(news, looks?.hosts ?? []));
    for (const { host } of looks?.hosts.filter(hasDrifted) ?? []) {
        if (before.has(host.name)) incarnations[host.name] = String(Number(before.get(host.name)) + 1);
    }
    if (looks?.problems.length === 0) beginPreflight(news, looks, tuning);
    if (isPreview) await tellPreflight(news.cluster);
    const inputs = { ...news, incarnations, inherited: inherited ?? NOBODY };
    if (isPreview && looks) {
        tellDrifts(inputs, looks);
        foretell(news, looks);
    }
    return { inputs };
}

export async function diff(_id: string, olds: ProvisionState, news: ProvisionInputs): Promise<{ changes: boolean }> {
    const looks = await lookIfKnown(news, olds);
    const isMissing = looks?.hosts.some(({ facts }) => facts?.isInstalled === false) ?? true;
    const isOtherwise = isDeclaredOtherwise(olds, news);
    const changes = isMissing || isOtherwise || looks === undefined || looks.problems.length > 0;
    setTimeout(() => loadMembership(changes), ANSWER_MS);
    return { changes };
}

/** What is declared no more has no entry: of that, only the end of a take-over or of a rotation is anybody's business. */
function isDeclaredOtherwise(olds: ProvisionState, news: ProvisionInputs): boolean {
    const keys = new Set([...Object.keys(news), "adopt", "inherited", "authorities"]) as Set<keyof ProvisionState>;
    // Hosts are asked about it, and given it by others.
    keys.delete("backupSchedule");
    return [...keys].some((key) => !isSame(news[key], olds[key]));
}

/** The engine shall have its answer before this process is busy with something else. */
const ANSWER_MS = 5;

/** It is asked next. What it needs is loaded while the engine is busy with hosts; if that fails, it will say so itself. */
function loadMembership(willAct: boolean): void {
    Promise.all([import("../membership/handler"), ...(willAct ? [import("etcd3"), import("cockatiel")] : [])])
        .catch(() => undefined)
        .finally(keepCompiled);
}

const NOTHING_BEFORE: Before = { hosts: [] };

export async function create(inputs: ProvisionInputs): Promise<{ id: string; outs: ProvisionState }> {
    return { id: inputs.clusterToken, outs: await provision(inputs.clusterToken, inputs, NOTHING_BEFORE) };
}

export async function update(
    id: string,
    olds: ProvisionState,
    news: ProvisionInputs,
): Promise<{ outs: ProvisionState }> {
    return { outs: await provision(id, news, olds) };
}

export async function read(id: string, props: ProvisionState): Promise<{ id: string; props: ProvisionState }> {
    return Promise.resolve({ id, props });
}

/** Membership has cleared its hosts by now. A first run that never came that far has left files: those go here. */
export async function remove(_id: string, props: ProvisionState): Promise<void> {
    await clearLocked(props, { ...lockedWork(props), hosts: props.hosts, mayAllBeAway: true });
}

/**
 * Nothing is changed anywhere before every host was looked at, and found fit. The cluster's lock is kept for what follows, so that of two
 * first runs, from two states, the later one finds what the other one has begun.
 */
async function provision(id: string, inputs: ProvisionInputs, before: Before): Promise<ProvisionState> {
    refuse(await lookAtAll(inputs, before));
    noteTouched(inputs.cluster);
    await lockAll(inputs);
    try {
        // Before the lock was ours, others may have had it.
        forgetLooks();
        const looks = await lookAtAll(inputs, before);
        refuse(looks);
        tellDrifts(inputs, looks);
        await tellPreflight(inputs.cluster);
        const bare = looks.hosts.filter(({ facts }) => facts?.isInstalled === false).map(({ host }) => host);
        const failures = await install(inputs, bare);
        forgetLooks();
        if (failures.length === 0) return inputs;
        // Not an Error: what the engine's dynamic provider knows as "made, but not as wanted", so that `destroy` clears what was installed.
        const message = installError(failures);
        throw { id, properties: inputs, reasons: [message], message };
    } catch (error) {
        await giveBackLock(inputs.cluster);
        throw error;
    }
}

const UNCHANGED = "nothing was changed on any host";

function refuse({ hosts, problems }: Looks): void {
    if (problems.length === 0) return;
    const away = hosts.find(({ facts }) => facts === undefined);
    throw new Error(withNext([...problems, UNCHANGED].join("\n"), afterRepair(away?.host.ssh)));
}

async function lockAll(inputs: ProvisionInputs): Promise<void> {
    await keepLock(lockedWork(inputs)).catch((error: Error) => {
        throw new Error(withNext([error.message, UNCHANGED].join("\n"), afterFailure(error)));
    });
}

function lockedWork({ cluster, stack = "", lockSeconds = 0, commandSeconds = 60, hosts }: ProvisionInputs): LockedWork {
    return {
        cluster,
        stack,
        hosts,
        mayHaveTwins: false,
        waitSeconds: lockSeconds,
        commandSeconds,
    };
}

async function lookIfKnown(
    inputs: ProvisionInputs,
    { hosts = [], authorities }: Partial<ProvisionState>,
    ahead?: readonly Sight[],
): Promise<Looks | undefined> {
    return isUnknown(inputs.hosts)
        ? undefined
        : lookAtAll(inputs, { hosts, ...(authorities && { authorities }) }, ahead);
}

/** Its files are not what it was given. */
function hasDrifted({ facts }: HostLook): boolean {
    return facts !== undefined && (!facts.isStaged || facts.drift.length > 0);
}

/** What somebody did to hosts that were given their files before. */
function tellDrifts({ cluster, incarnations }: ProvisionInputs, { hosts }: Looks): void {
    for (const { host, facts } of hosts) {
        if (!facts) continue;
        const isKnown = Number(incarnations?.[host.name] ?? "1") > 1;
        if (isKnown && !facts.isStaged)
            console.log(`[${cluster}] host "${host.name}" has none of its files; up lays them down again`);
        for (const line of tellDrift(host.name, facts)) console.log(`[${cluster}] ${line}`);
    }
    noteEdited(
        cluster,
        hosts.flatMap(({ host, facts }) => (facts?.isEdited ? [host.name] : [])),
    );
}

function foretell({ cluster }: ProvisionInputs, { problems }: Looks): void {
    for (const problem of problems) console.log(`[${cluster}] up will stop here: ${problem}`);
    noteStop(cluster, problems.length > 0);
}
