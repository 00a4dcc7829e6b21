/** How the cluster shrinks: move the lead, snapshot, remove, retire. */
import type { Member, Rule, World } from "../types";
import {
    hostOf,
    isHealthy,
    isLeader,
    memberOf,
    members,
    nameOf,
    nextLeader,
    quorum,
    refuse,
    seenHost,
    snapshotHost,
    step,
    voters,
} from "../world";

/** Invariant: a dead member leaves before a new one comes, or the new one cannot be added at all. */
export const removeDead: Rule = (world) => {
    const dead = retiredMembers(world).find((member) => !isHealthy(world, member));
    return dead && remove(world, dead, "its host is declared no more, and it does not answer");
};

/** Invariant: nobody is removed while leading, and a voter leaves only when those who stay have a quorum without it. */
export const removeRetired: Rule = (world) => {
    const retired = retiredMembers(world);
    const leaving = retired.find((member) => !isLeader(world, member)) ?? retired[0];
    if (!leaving) return undefined;
    if (isLeader(world, leaving)) {
        const next = nextLeader(world, leaving);
        if (!next)
            return refuse(
                `member "${nameOf(world, leaving)}" leads and no other declared voter is healthy; repair one first`,
            );
        return step(
            { kind: "move-leader", from: nameOf(world, leaving), to: next.host.key, toId: next.member.id },
            `"${nameOf(world, leaving)}" leads and is to be removed`,
        );
    }
    return remove(world, leaving, "its host is declared no more");
};

/** Invariant: a host is cleared only after its member left the list; its data never rejoins. */
export const retire: Rule = (world) => {
    const host = world.wanted.retired.find((candidate) => {
        const seen = seenHost(world, candidate);
        const holdsSomething =
            seen.unit !== "absent" || seen.hasData || seen.identity !== undefined || seen.staged !== undefined;
        return seen.reach.ok && holdsSomething && !memberOf(world, candidate);
    });
    return host && step({ kind: "retire", host: host.key }, "it is declared no more, and its member is gone");
};

function retiredMembers(world: World): readonly Member[] {
    return members(world).filter((member) => {
        const host = hostOf(world, member);
        return host !== undefined && world.wanted.retired.includes(host);
    });
}

function remove(world: World, leaving: Member, because: string): ReturnType<Rule> {
    const name = nameOf(world, leaving);
    if (!leaving.isLearner) {
        const all = voters(world);
        const staying = all.filter((voter) => voter.id !== leaving.id);
        const healthy = staying.filter((voter) => isHealthy(world, voter));
        const commits = isHealthy(world, leaving) ? healthy.length + 1 : healthy.length;
        if (healthy.length < quorum(staying.length) || commits < quorum(all.length)) {
            return refuse(
                `member "${name}" is not removed: ${healthy.length} of the ${staying.length} voters that stay are healthy and ${quorum(staying.length)} must be; repair them first`,
            );
        }
    }
    return step({ kind: "remove", name, memberId: leaving.id, snapshotOn: snapshotHost(world, leaving) }, because);
}
