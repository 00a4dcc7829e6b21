/** What must stop us before anything is changed. */
import { hostOfUrl } from "../../address";
import { quoted } from "../../quote";
import type { Member, Rule, World } from "../types";
import { hostOf, knownHosts, memberOf, members, pathsOf, refuse, seenHost, step, wait } from "../world";

/** Invariant: an even number of voters is somebody's explicit wish. */
export const evenSize: Rule = ({ wanted }) => {
    const size = wanted.hosts.length;
    if (size === 0) return refuse("no host is declared, and a cluster needs one; to end it, run pulumi destroy");
    if (size % 2 === 1 || wanted.allowEvenSize) return undefined;
    return refuse(
        `${size} hosts are declared: ${size} members survive the loss of no more than ${size - 1} do; declare ${size + 1} or ${size - 1}, or set allowEvenSize`,
    );
};

/** Invariant: nothing is planned on guesses about a host that can't be seen. */
export const unreachableHost: Rule = (world) => {
    for (const host of world.wanted.hosts) {
        const { reach } = seenHost(world, host);
        if (!reach.ok) {
            return refuse(
                `host "${host.name}" (${host.address}) can't be reached: ${reach.reason}; repair it, or take it off the list to have its member removed`,
            );
        }
    }
    return undefined;
};

/**
 * Invariant: a member that is to be taken over and was stopped is not taken for one that has lost its data. Where its data is, and how it
 * is to be run, only what runs it can tell.
 */
export const stoppedByHand: Rule = (world) => {
    if (!world.wanted.isTakingOver) return undefined;
    for (const host of world.wanted.hosts) {
        const { identity, foreign, status, hasData } = seenHost(world, host);
        const member = memberOf(world, host);
        const isListed = member !== undefined && member.name !== "";
        if (identity || foreign || status || !(hasData || isListed)) continue;
        const lost = isListed ? `; if its data is lost for good: etcdctl member remove ${member.id}` : "";
        return refuse(
            `host "${host.name}" (${host.address}): its etcd is to be taken over and does not run; nothing was changed on it: start it as it was set up, and run pulumi up${lost}`,
        );
    }
    return undefined;
};

/** Invariant: one run works on one cluster, the one that it knows. */
export const otherCluster: Rule = (world) => {
    const { wanted, seen } = world;
    const answering = seen.cluster?.clusterId;
    if (answering && wanted.knownClusterId && answering !== wanted.knownClusterId) {
        return refuse(
            `cluster ${answering} answers where ${wanted.knownClusterId} was built; nothing was changed: find out who founded it, and take its hosts off the list`,
        );
    }
    let expected = wanted.knownClusterId ?? answering;
    for (const host of wanted.hosts) {
        const { identity, status, hasData, initialCluster } = seenHost(world, host);
        if (identity && identity.clusterToken !== wanted.clusterToken) {
            return refuse(
                `host "${host.name}" belongs to the cluster with token "${identity.clusterToken}", not "${wanted.clusterToken}"; a token is for life: set clusterToken back, or destroy that cluster first`,
            );
        }
        const found = status?.clusterId ?? identity?.clusterId;
        if (expected && found && found !== expected) {
            const paths = pathsOf(world);
            return refuse(
                `host "${host.name}" holds a member of cluster ${found}, not of ${expected}; its data was left alone: stop etcd there (systemctl disable --now ${paths.unit}) and move ${paths.dataDir} and ${paths.identity} away on that host, or take the host off the list; of a cluster that was given up, restore with replaces: "${found}" does that`,
            );
        }
        expected ??= found;
        // Of the two files that say so, a loss of power may have emptied one. A cluster that answers knows better.
        const isNoted = identity !== undefined || (!answering && initialCluster !== undefined);
        if (hasData && !isNoted && !memberOf(world, host) && !status) {
            return refuse(
                `host "${host.name}" has etcd data in ${wanted.dataDir} that no cluster of ours wrote; it was left alone: move it away, or choose another dataDir`,
            );
        }
    }
    return undefined;
};

/**
 * Invariant: nobody is judged by one of two lists. A member that was set back to an earlier time may lead a cluster of those it knew: who
 * answers reads then is not in the list, or follows another leader. A member that was removed, or a change of leaders, shows the same for a
 * moment.
 */
export const twoLists: Rule = (world) => {
    const { cluster } = world.seen;
    if (!cluster || cluster.clusterId === world.wanted.restore?.replaces) return undefined;
    const apart = knownHosts(world).find((host) => {
        const { status } = seenHost(world, host);
        if (status?.isHealthy !== true) return false;
        const isListed = members(world).some(({ id }) => id === status.memberId);
        return !isListed || isOfAnother(cluster.leaderId, status.leaderId);
    });
    if (!apart) return undefined;
    const agreed = `the etcd on "${apart.name}" answers no reads any more, or has the same leader as the others`;
    const remedy = "two members answer reads with different lists: stop etcd on the one whose data is old";
    return { ...wait(agreed, world.wanted.timeouts.healthSeconds, [apart.key]), remedy };
};

function isOfAnother(leaderId: string | undefined, theirs: string | undefined): boolean {
    return leaderId !== undefined && theirs !== undefined && leaderId !== theirs;
}

/** Who is in the list without being declared. A learner that never started is nobody's: it votes on nothing and holds nothing. */
function foreignMembers(world: World): readonly Member[] {
    const isNobodys = (member: Member): boolean => member.isLearner && member.name === "";
    return members(world).filter((member) => !hostOf(world, member) && !isNobodys(member));
}

/** Invariant: who is in the list without being declared was put there by somebody else, and stays until they say, as does all beside it. */
export const foreignMember: Rule = (world) => {
    const foreign = foreignMembers(world);
    const [first] = foreign;
    if (first) {
        const names = foreign.map(
            (member) => `${member.name || "(never started)"} ${member.id} ${member.peerUrls.join(",")}`,
        );
        return refuse(
            `the cluster has members that are not declared: ${quoted(names)}; declare their hosts, or remove them: etcdctl member remove ${first.id}`,
        );
    }
    const leftover = members(world).find((member) => !hostOf(world, member));
    if (!leftover) return undefined;
    return step(
        { kind: "remove", name: leftover.peerUrls.join(","), memberId: leftover.id, snapshotOn: undefined },
        "it is a learner that never started and that nothing declares",
    );
};

/** What answers may be another's cluster, or is to be given up: its id is none that a state may know as its own. */
export function isPerhapsAnothers(world: World): boolean {
    const { wanted, seen } = world;
    const isGivenUp = seen.cluster !== undefined && seen.cluster.clusterId === wanted.restore?.replaces;
    return isGivenUp || otherCluster(world) !== undefined || foreignMembers(world).length > 0;
}

/**
 * Invariant: a member is not restarted because this machine can't ask it: it may be well. One that has lost the address where it serves is
 * not barred, but gone from there.
 */
export const barredMember: Rule = (world) => {
    const barred = world.wanted.hosts.flatMap((host) => {
        const { barred: why, hasData, serving } = seenHost(world, host);
        if (why === undefined || !hasData || !serving) return [];
        // Of two, both are at one address.
        const isThere = serving.clientUrl.split(",").every((url) => hostOfUrl(url) === host.address);
        return isThere ? [{ host, why }] : [];
    });
    const [first] = barred;
    if (!first) return undefined;
    const names = barred.map(({ host }) => host.name);
    const until = `etcd on ${quoted(names)} can be asked`;
    const seconds = world.wanted.timeouts.healthSeconds;
    return {
        ...wait(
            until,
            seconds,
            barred.map(({ host }) => host.key),
        ),
        remedy: `it runs, and nothing is known of it, so that nothing was changed: ${first.why}`,
    };
};
