/** How the cluster shrinks: move the lead, snapshot, remove, retire. */
import type { Member, Rule, World } from "../types";
import { hostOf, isAlive, isHealthy, isLeader, memberOf, members, nameOf, residentOf, seenHost, step } from "../world";
import { handOver } from "./handOver";
import { illVoter } from "./heal";
import { remove } from "./remove";

/**
 * Invariant: a dead member leaves before a new one comes, or the new one cannot be added at all. So does a learner, which helps nobody.
 * It leaves before one that is ill is restarted, too: the fewer the list has, the fewer must be well. One that can't be seen may lead
 * all the same: the lead is then elected anew, as it can't be asked to move.
 */
export const removeDead: Rule = (world) => {
    const unwell = retiredMembers(world).filter((member) => !isHealthy(world, member));
    const useless = unwell.find((member) => !isAlive(world, member)) ?? unwell[0];
    if (!useless) return undefined;
    const illness = useless.isLearner ? "is a learner" : "does not answer";
    const removal = remove(world, useless, `its host is declared no more, and it ${illness}`);
    return removal.verdict === "refuse" ? (illVoter(world) ?? removal) : removal;
};

/** Invariant: nobody is removed while leading, and followers go first. */
export const removeRetired: Rule = (world) => {
    const retired = retiredMembers(world);
    const leaving = retired.find((member) => !isLeader(world, member)) ?? retired[0];
    if (!leaving) return undefined;
    const because = `"${nameOf(world, leaving)}" leads and is to be removed`;
    return handOver(world, leaving, because) ?? remove(world, leaving, "its host is declared no more");
};

/** Invariant: a host is cleared only of this cluster's things, and only after its member left the list; its data never rejoins. */
export const retire: Rule = (world) => {
    const { clusterToken, retired } = world.wanted;
    const host = retired.find((candidate) => {
        const { unit, identity, staged, reach, foreign } = seenHost(world, candidate);
        if (!reach.ok || (identity && identity.clusterToken !== clusterToken)) return false;
        // A member that is known at another address of the same machine, or under another name, is no reason to clear it.
        if (memberOf(world, candidate) || residentOf(world, candidate)) return false;
        // Neither is data that no note of ours is about, nor a unit whose take-over has not begun.
        return (unit !== "absent" && !foreign) || identity !== undefined || staged !== undefined;
    });
    return host && step({ kind: "retire", host: host.key }, "it is declared no more, and its member is gone");
};

function retiredMembers(world: World): readonly Member[] {
    return members(world).filter((member) => {
        const host = hostOf(world, member);
        return host !== undefined && world.wanted.retired.includes(host);
    });
}
