/** What rules ask of a world. */
import { hostOfUrl, isAddress } from "../address";
import { hostPaths, type HostPaths } from "../host/paths";
import { withoutTls } from "../host/settings";
import type { Desired, HostSeen, Member, Verdict, Step, Action, WantedHost, World } from "./types";

/** A generation whose digest is not known before it is made. */
export const LATER = "(staged)";

export function step(action: Action, because: string): Verdict {
    return { verdict: "step", step: { ...action, because } };
}

export function refuse(error: string): Verdict {
    return { verdict: "refuse", error };
}

export function wait(
    until: string,
    deadlineSeconds: number,
    hosts: readonly string[],
    otherwise?: Step | undefined,
): Verdict {
    return { verdict: "wait", until, deadlineSeconds, hosts, ...(otherwise && { otherwise }) };
}

/** What is restored on a host that is to found the cluster, in a line: from what, and as whom. */
export function restoration(wanted: Desired, { name, peerUrl }: WantedHost): string {
    return `${wanted.restore?.snapshot} ${name}=${peerUrl} ${restoredToken(wanted)}`;
}

/** Each cluster that begins anew gets a token, and so an id, of its own. */
export function restoredToken({ clusterToken, restore }: Desired): string {
    return restore?.replaces === undefined ? clusterToken : `${clusterToken}.${restore.replaces}`;
}

/** On each host. */
export function pathsOf({ wanted }: World): HostPaths {
    return hostPaths(wanted.cluster, wanted.dataDir);
}

/** Every host that this run knows: declared ones first. */
export function knownHosts({ wanted }: World): readonly WantedHost[] {
    return [...wanted.hosts, ...wanted.retired];
}

export function seenHost({ seen }: World, host: WantedHost): HostSeen {
    const found = seen.hosts[host.key];
    if (!found) throw new Error(`host "${host.key}" was not observed`);
    return found;
}

export function members({ seen }: World): readonly Member[] {
    return seen.cluster?.members ?? [];
}

export function voters(world: World): readonly Member[] {
    return members(world).filter((member) => !member.isLearner);
}

export function learners(world: World): readonly Member[] {
    return members(world).filter((member) => member.isLearner);
}

/** What `memberOf` found: nearly every rule asks it about every host, and a world does not change. */
const found = new WeakMap<World, Map<WantedHost, Member | undefined>>();

/** The member that a host is: the one whose data it holds, wherever the list says that it is; else by its exact peer URL. */
export function memberOf(world: World, host: WantedHost): Member | undefined {
    let known = found.get(world);
    if (!known) found.set(world, (known = new Map()));
    if (!known.has(host)) known.set(host, findMember(world, host));
    return known.get(host);
}

function findMember(world: World, host: WantedHost): Member | undefined {
    const resident = residentOf(world, host);
    const { hasData, status } = seenHost(world, host);
    // What was noted beside data says nothing where the data is gone and lives on another host.
    if (resident && (hasData || status || !livesElsewhere(world, host, resident))) return resident;
    const listed = members(world).find((member) => isAtItsPlace(host, member));
    return listed && !livesElsewhere(world, host, listed) ? listed : undefined;
}

/** Another host has its data: it is about to leave the place that the list gives it, or the cluster. */
function livesElsewhere(world: World, host: WantedHost, member: Member): boolean {
    return knownHosts(world).some(
        (other) =>
            other.key !== host.key && seenHost(world, other).hasData && residentOf(world, other)?.id === member.id,
    );
}

/** The host that a member runs on. One that is declared comes before a former one, which may be the same machine at another address. */
export function hostOf(world: World, member: Member): WantedHost | undefined {
    return knownHosts(world).find((host) => memberOf(world, host)?.id === member.id);
}

/** The list says that it is called without TLS where it is declared to be, as in a cluster that was set up so by hand. */
export function isListedPlain(host: WantedHost, member: Member): boolean {
    return member.peerUrls.includes(withoutTls(host.peerUrl));
}

/** The list says where the host is declared to be. */
export function isAtItsPlace(host: WantedHost, member: Member): boolean {
    return isListed(host.peerUrl, member.peerUrls);
}

/**
 * It serves at another address than the one that it was given files for, and so a certificate: it has the connections that it had, and
 * makes no new one, nor does anybody to it. A member that is to serve at another port makes them.
 */
export function isBetweenAddresses(world: World, host: WantedHost): boolean {
    const { serving, stagedPeerUrl } = seenHost(world, host);
    if (!serving) return false;
    const declared = world.wanted.hosts.includes(host) ? host.peerUrl : stagedPeerUrl;
    if (declared === undefined || declared === serving.peerUrl) return false;
    return hostOfUrl(serving.peerUrl) !== hostOfUrl(declared);
}

/** A peer URL is among others, be it with TLS or without. */
export function isListed(peerUrl: string, urls: readonly string[]): boolean {
    return urls.includes(peerUrl) || urls.includes(withoutTls(peerUrl));
}

/** The member whose data a host holds, whatever address it is known at: by its own answer, or by what was noted beside the data. */
export function residentOf(world: World, host: WantedHost): Member | undefined {
    const { identity, status } = seenHost(world, host);
    const id = status?.memberId ?? identity?.memberId;
    return id === undefined ? undefined : members(world).find((member) => member.id === id);
}

/** How a member is called to the operator: one that never started has no name of its own. */
export function nameOf(world: World, member: Member): string {
    return member.name || hostOf(world, member)?.name || member.id;
}

export function isUp(host: HostSeen): boolean {
    return host.unit === "active" || host.unit === "activating";
}

/** A voter that answers a linearizable read itself. */
export function isHealthy(world: World, member: Member): boolean {
    const host = hostOf(world, member);
    return host !== undefined && seenHost(world, host).status?.isHealthy === true;
}

/** A voter that takes part in the raft, even if it does not answer clients yet. */
export function isAlive(world: World, member: Member): boolean {
    const host = hostOf(world, member);
    if (!host) return false;
    const seen = seenHost(world, host);
    return isHealthy(world, member) || isLeader(world, member) || (isUp(seen) && seen.servesPeers);
}

/** A voter that is seen to take no part. While no leader answers, of one that runs nobody can tell. */
export function isDead(world: World, member: Member): boolean {
    const host = hostOf(world, member);
    if (!host || isAlive(world, member)) return false;
    const seen = seenHost(world, host);
    return seen.reach.ok && (!isUp(seen) || isLeaderAsked(world));
}

/** The leader has said whom it hears. Until then, that a member is not heard means nothing: it may be the one that leads. */
export function isLeaderAsked({ seen }: World): boolean {
    if (seen.cluster?.isLeaderMute) return false;
    const leaderId = seen.cluster?.leaderId;
    return Object.values(seen.hosts).some(({ status }) => status !== undefined && status.memberId === leaderId);
}

/** It was started, answers no clients, and no leader hears from it. */
export function isSilent(host: HostSeen): boolean {
    return isUp(host) && !host.status && !host.servesPeers;
}

/** The next start would run another generation than the one that is wanted. */
export function isStale(world: World, host: WantedHost): boolean {
    return host.generation !== undefined && seenHost(world, host).current !== host.generation;
}

/** It runs another generation than the one that is wanted. One that systemd starts again and again takes what is current by itself. */
export function runsOther(world: World, host: WantedHost): boolean {
    const { running } = seenHost(world, host);
    return (
        isStale(world, host) || (host.generation !== undefined && running !== undefined && running !== host.generation)
    );
}

/** Membership told it to found the cluster, and has not seen the cluster answer yet. */
export function isBeingBorn(host: HostSeen): boolean {
    return host.identity !== undefined && !host.identity.clusterId && host.initialClusterState === "new";
}

export function quorum(size: number): number {
    return Math.floor(size / 2) + 1;
}

/** The full list as a joining member must be told it; names that etcd does not know yet are ours. */
export function initialCluster(world: World): string {
    return members(world)
        .flatMap((member) => member.peerUrls.map((url) => `${nameOf(world, member)}=${url}`))
        .sort()
        .join(",");
}

export function isLeader(world: World, member: Member): boolean {
    return world.seen.cluster?.leaderId === member.id;
}

export interface Voter {
    readonly host: WantedHost;
    readonly member: Member;
}

/** The voter to lead next: the first declared one that is healthy and keeps up. */
export function nextLeader(world: World, except: Member): Voter | undefined {
    return reachableLeader(world, world.wanted.hosts, except) ?? keepingUp(world, world.wanted.hosts, except);
}

/** The same among certain hosts, and one that members who start anew can reach. */
export function reachableLeader(world: World, hosts: readonly WantedHost[], except: Member): Voter | undefined {
    return keepingUp(
        world,
        hosts.filter((host) => !isBetweenAddresses(world, host)),
        except,
    );
}

/** The host that keeps the snapshot taken before a voter goes: one that stays, or else one that goes later. */
export function snapshotHost(world: World, leaving: Member): string | undefined {
    return (nextLeader(world, leaving) ?? keepingUp(world, world.wanted.retired, leaving))?.host.key;
}

/** How far behind the first in the log is still "keeps up": etcd's own measure for a learner that may vote (readyPercentThreshold). */
const KEEPS_UP = 0.9;

/** Indexes differ from one look to the next even when all is well, so that they decide only who is out of the question. */
function keepingUp(world: World, hosts: readonly WantedHost[], except: Member): Voter | undefined {
    const healthy = hosts.flatMap((host) => {
        const member = memberOf(world, host);
        const isCandidate = member && !member.isLearner && member.id !== except.id && isHealthy(world, member);
        return isCandidate ? [{ host, member }] : [];
    });
    const first = Math.max(...healthy.map(({ host }) => raftIndex(world, host)));
    return healthy.find(({ host }) => raftIndex(world, host) >= first * KEEPS_UP);
}

function raftIndex(world: World, host: WantedHost): number {
    return seenHost(world, host).status?.raftIndex ?? 0;
}

/** Addresses that the peer port must be open to: every member's, and every host's that is about to be one. */
export function peerAddresses(world: World): readonly string[] {
    return [...new Set(peers(world).flatMap((host) => [host.address, ...otherAddresses(world, host)]))].sort();
}

/** Where the list still says that a host's member is, or where it still serves: it is on its way to the declared address. */
function otherAddresses(world: World, host: WantedHost): readonly string[] {
    if (!seenHost(world, host).reach.ok) return [];
    const { serving } = seenHost(world, host);
    const urls = [...(memberOf(world, host)?.peerUrls ?? []), ...(serving ? [serving.peerUrl] : [])];
    const others = urls.filter((url) => url !== host.peerUrl);
    return others.map((url) => hostOfUrl(url)).filter(isAddress);
}

/** Hosts that hold a member or shall hold one, and can be reached. */
export function peerHosts(world: World): readonly WantedHost[] {
    return peers(world).filter((host) => seenHost(world, host).reach.ok);
}

/** While the list can't be read, whoever has data may be in it. */
function peers(world: World): readonly WantedHost[] {
    const mayBeMember = (host: WantedHost): boolean =>
        world.seen.cluster ? memberOf(world, host) !== undefined : seenHost(world, host).hasData;
    return knownHosts(world).filter((host) => world.wanted.hosts.includes(host) || mayBeMember(host));
}
