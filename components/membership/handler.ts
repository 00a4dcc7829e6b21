/** check, diff, create, read, update, remove: what the engine asks of `EtcdMembership`. Create and update are one function. */
import "../compileCache";

import { bundle } from "../adoption/authorities";
import { lentByHosts } from "../adoption/lent";
import { endWithEngine } from "../engineLife";
import { EDITED } from "../host/generation";
import { isEdited } from "../provision/edited";
import { isStopped } from "../provision/stops";
import { pool } from "../remote/connectionPool";
import { noteAhead, takeAhead } from "./ahead";
import { clearLocked } from "./clear";
import { clusterIdToKeep } from "./clusterId";
import { afterFailure, messageOf, withNext } from "./errors";
import { isSame, isUnknown } from "../stateValues";
import {
    desiredOf,
    retiredHosts,
    type MemberRow,
    type MembershipArgs,
    type MembershipInputs,
    type MembershipState,
} from "./inputs";
import { locked, type LockedWork } from "./locked";
import { Observer } from "./observe";
import { wholePlan, type Plan } from "./plan";
import { shown } from "./deviations";
import { notePreview } from "./previews";
import { memberTable, reconcile, type Tell } from "./reconcile";
import { showPlan, tellDeviations } from "./show";
import { withoutTwins } from "./twins";
import type { Desired, Observation } from "./types";

endWithEngine();

interface CheckResult {
    readonly inputs: MembershipInputs;
}

/** Clusters that a preview is under way for. The engine tells nobody but the program, which says so in an input that ends here. */
const previewed = new Set<string>();
/** Clusters that the program of this run declares, with the addresses of their hosts. */
const declared = new Map<string, ReadonlySet<string>>();

/** A cluster that is not built yet has no diff: its plan is shown here, as far as it can be foreseen. */
export async function check(olds: Partial<MembershipState>, news: MembershipArgs): Promise<CheckResult> {
    const { isPreview, ahead, ...inputs } = news;
    noteAhead(inputs.cluster, ahead);
    const hosts = Array.isArray(inputs.hosts) ? inputs.hosts : [];
    declared.set(identity(inputs), new Set(hosts.map(({ address }) => address)));
    if (isPreview) previewed.add(inputs.cluster);
    if (isPreview && olds.hosts === undefined) await foresee({}, inputs);
    return { inputs };
}

/** Observes and plans. Changes nothing, and never fails: what can't be seen becomes a line. */
export async function diff(_id: string, olds: MembershipState, news: MembershipInputs): Promise<{ changes: boolean }> {
    const plan = await foresee(olds, news);
    const isPlanned = plan === undefined || isAnything(plan);
    // After a run that failed the engine updates in any case, until a refresh: what the failure has left may have no outputs.
    return { changes: isPlanned || olds.members === undefined || isDeclaredOtherwise(olds, news) };
}

function isAnything({ steps, refusal, waitsFor }: Plan): boolean {
    return steps.length > 0 || (refusal ?? waitsFor) !== undefined;
}

export async function create(inputs: MembershipInputs): Promise<{ id: string; outs: MembershipState }> {
    return { id: inputs.clusterToken, outs: await converge(inputs.clusterToken, {}, inputs) };
}

export async function update(
    id: string,
    olds: MembershipState,
    news: MembershipInputs,
): Promise<{ outs: MembershipState }> {
    return { outs: await converge(id, olds, news) };
}

/** State is what was declared; what is there is looked at by every diff. */
export async function read(id: string, props: MembershipState): Promise<{ id: string; props: MembershipState }> {
    return Promise.resolve({ id, props });
}

/**
 * Stops etcd everywhere and removes what we placed. A cluster that this run declares goes on: what ends is an entry of state that another one
 * has replaced, as by `up --replace`, after `state taint`, or under another parent.
 */
export async function remove(_id: string, props: MembershipState): Promise<void> {
    const { retired = [] } = props;
    const hosts = [...props.hosts, ...retired];
    const addresses = declared.get(identity(props));
    if (addresses) {
        tellReplaced(
            teller(props.cluster),
            hosts.filter(({ address }) => !addresses.has(address)),
        );
        return;
    }
    await clearLocked(props, { ...lockedWork(props, hosts, retired.length > 0), hosts, leaving: retired });
}

function identity({ cluster, clusterToken }: MembershipInputs): string {
    return `${cluster} ${clusterToken}`;
}

function tellReplaced(tell: Tell, left: MembershipInputs["hosts"]): void {
    tell("the cluster is left as it is: only its former entry in the stack's state was removed");
    for (const { name, address } of left)
        tell(
            `host "${name}" (${address}) was in that entry and is declared no more: it may still have etcd and our files; declare it, run pulumi up, and take it off the list again`,
        );
}

function lockedWork(
    { cluster, stack, timeouts }: MembershipInputs,
    hosts: LockedWork["hosts"],
    mayHaveTwins: boolean,
): LockedWork {
    const { lockSeconds, commandSeconds } = timeouts;
    return { cluster, stack, hosts, mayHaveTwins, waitSeconds: lockSeconds, commandSeconds };
}

/** Each line stands alone: the engine shows it without saying which resource it came from. */
function teller(cluster: string): Tell {
    return (line) => console.log(`[${cluster}] ${line}`);
}

/** The plan, shown in a preview: `up` tells its steps as it takes them. Undefined when the world can't be seen, or nothing would come of it. */
async function foresee(olds: Partial<MembershipState>, news: MembershipInputs): Promise<Plan | undefined> {
    const isPreviewed = previewed.has(news.cluster);
    const tell: Tell = isPreviewed ? teller(news.cluster) : () => undefined;
    if (isPreviewed) notePreview(news, undefined);
    if (isStopped(news.cluster)) return undefined;
    // Before it destroys a resource that membership needs, the engine asks what would become of it, with hosts that are unknown as a whole.
    if (!Array.isArray(news.hosts) || isUnknown(news.hosts.map((host) => host.ssh))) {
        tell("the plan is not known yet: how to log in to the hosts is still to be made");
        return undefined;
    }
    const wanted = desiredOf(olds, news);
    try {
        const { plan, wanted: declared } =
            nothingAhead(wanted) ?? planned(wanted, await observed(wanted, olds, news, tell));
        showPlan(plan, declared, tell);
        if (isPreviewed) notePreview(news, shown(plan));
        else tellDeviations(news, plan, teller(news.cluster));
        return plan;
    } catch (error) {
        tell(`the cluster can't be observed: ${messageOf(error)}`);
        return undefined;
    }
}

interface Planned {
    readonly plan: Plan;
    readonly wanted: Desired;
}

function planned(wanted: Desired, observation: Observation): Planned {
    const now = withoutTwins(wanted, observation);
    const seen = previewed.has(wanted.cluster) ? withEdited(wanted.cluster, now.seen) : now.seen;
    return { plan: wholePlan(seen, now.wanted), wanted: now.wanted };
}

/** The plan by what the program has seen, if there is nothing to do by it. It has not seen hosts that only state knows. */
function nothingAhead(wanted: Desired): Planned | undefined {
    const ahead = takeAhead(wanted.cluster);
    if (!ahead || wanted.retired.length > 0) return undefined;
    const found = planned(wanted, ahead);
    return isAnything(found.plan) ? undefined : found;
}

async function observed(
    wanted: Desired,
    olds: Partial<MembershipState>,
    news: MembershipInputs,
    tell: Tell,
): Promise<Observation> {
    const credentials = knownCredentials(olds, news);
    const observer = await observerOf(wanted, { ...news, credentials });
    const seen = await observer.observe().finally(() => observer.close());
    if (!seen.cluster && credentials !== news.credentials)
        tell(
            "no quorum answers to the certificates of before: if they have expired, up puts new ones in place, and what follows is not what it does",
        );
    return seen;
}

/** Certificates that are still to be made are made for those who trust the ones of before as well. */
function knownCredentials(olds: Partial<MembershipState>, news: MembershipInputs): MembershipInputs["credentials"] {
    return isUnknown(news.credentials) ? (olds.credentials ?? news.credentials) : news.credentials;
}

/** As it will be seen when the files are put back, which comes first. */
function withEdited(cluster: string, seen: Observation): Observation {
    const hosts = Object.entries(seen.hosts).map(([key, host]) => {
        return [key, isEdited(cluster, key) ? { ...host, running: `${EDITED}${host.running}` } : host] as const;
    });
    return { ...seen, hosts: Object.fromEntries(hosts) };
}

function isDeclaredOtherwise(olds: MembershipState, news: MembershipInputs): boolean {
    if (olds.retired && olds.retired.length > 0) return true;
    return Object.entries(news).some(([key, value]) => {
        return !isSame(value, olds[key as keyof MembershipState]);
    });
}

async function observerOf(wanted: Desired, news: MembershipInputs): Promise<Observer> {
    const { access, inherited } = news;
    const credentials = isUnknown(news.credentials) ? undefined : news.credentials;
    const hosts = [...wanted.hosts, ...wanted.retired];
    const lent =
        inherited && (await lentByHosts(pool, wanted, hosts, bundle(inherited.clientCa, credentials?.ca ?? "")));
    return new Observer(wanted, pool, credentials, access, lent);
}

/** Create and update: from whatever is there to what is declared. A failure keeps what is needed to go on, or to destroy. */
async function converge(id: string, olds: Partial<MembershipState>, news: MembershipInputs): Promise<MembershipState> {
    const wanted = desiredOf(olds, news);
    const observer = await observerOf(wanted, news);
    let clusterId = olds.clusterId;
    try {
        const hosts = [...wanted.hosts, ...wanted.retired];
        const work = { ...lockedWork(news, hosts, wanted.retired.length > 0), leaving: wanted.retired };
        const end = await locked(work, async (lock) => {
            observer.leaveAlone(lock.away);
            const first = withoutTwins(wanted, await observer.observe());
            const plan = wholePlan(first.seen, first.wanted);
            tellDeviations(news, plan, teller(news.cluster));
            const seen = await reconcile(observer, first.wanted, first.seen, plan, {
                tell: teller(news.cluster),
                beforeStep: () => lock.assertHeld(),
                onSeen: (now) => {
                    clusterId = clusterIdToKeep({ seen: now, wanted: first.wanted }, clusterId);
                },
            });
            return { ...first, seen };
        });
        reportUnreachable(end.wanted, end.seen, olds.members ?? [], teller(news.cluster));
        return {
            ...news,
            ...(clusterId !== undefined && { clusterId }),
            initialClusterState: "existing",
            members: memberTable(end.seen, end.wanted),
        };
    } catch (error) {
        const message = withNext(messageOf(error), afterFailure(error));
        const properties: MembershipState = {
            ...news,
            retired: retiredHosts(olds, news),
            ...(clusterId !== undefined && { clusterId }),
            ...(olds.initialClusterState && { initialClusterState: olds.initialClusterState }),
            ...(olds.members && { members: olds.members }),
        };
        // Not an Error: what the engine's dynamic provider knows as "made, but not as wanted", which leaves the resource in state.
        throw { id, properties, reasons: [message], message };
    } finally {
        observer.close();
    }
}

function reportUnreachable(wanted: Desired, seen: Observation, before: readonly MemberRow[], tell: Tell): void {
    const stays = (id: string): boolean => seen.cluster?.members.some((member) => member.id === id) === true;
    for (const host of wanted.retired) {
        // Its member lives on at another address, and so does the machine.
        if (before.some(({ peerUrl, id }) => peerUrl === host.peerUrl && stays(id))) continue;
        const reach = seen.hosts[host.key]?.reach;
        if (reach && !reach.ok) {
            tell(
                `host "${host.name}" (${host.address}) is no member any more, but could not be cleared: ${reach.reason}; should it come back, disable its etcd: its data never rejoins`,
            );
        }
    }
}
