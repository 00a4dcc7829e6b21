/** The one way in which a member leaves the list. */
import type { Member, Verdict, World } from "../types";
import { isHealthy, nameOf, quorum, refuse, snapshotHost, step, voters } from "../world";

/** Invariant: a voter leaves only when those who stay have a quorum without it, and those who decide it have one with it. */
export function remove(world: World, leaving: Member, because: string): Verdict {
    const name = nameOf(world, leaving);
    if (!leaving.isLearner) {
        const all = voters(world);
        const staying = all.filter((voter) => voter.id !== leaving.id);
        const healthy = staying.filter((voter) => isHealthy(world, voter));
        const ownVote = isHealthy(world, leaving) ? 1 : 0;
        const needed = Math.max(quorum(staying.length), quorum(all.length) - ownVote);
        if (healthy.length < needed) {
            return refuse(
                `member "${name}" is not removed (${because}): ${healthy.length} of the ${staying.length} voters that stay are healthy and ${needed} must be; repair them first`,
            );
        }
    }
    return step({ kind: "remove", name, memberId: leaving.id, snapshotOn: snapshotHost(world, leaving) }, because);
}
