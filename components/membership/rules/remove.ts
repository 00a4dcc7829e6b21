/** The one way in which a member leaves the list. */
import type { Member, Verdict, World } from "../types";
import { isAlive, isDead, nameOf, quorum, refuse, snapshotHost, step, voters } from "../world";

/**
 * Invariant: a voter leaves only when those who stay have a quorum without it. Who is seen to take no part leaves those who decide now,
 * and a smaller list needs no more of them; one that can't be seen may be what the quorum rests on.
 */
export function remove(world: World, leaving: Member, because: string): Verdict {
    const name = nameOf(world, leaving);
    const staying = voters(world).filter((voter) => voter.id !== leaving.id);
    const present = staying.filter((voter) => isAlive(world, voter));
    const mayCount = !leaving.isLearner && !isDead(world, leaving);
    if (staying.length === 0 || (mayCount && present.length < quorum(staying.length))) {
        return refuse(
            `member "${name}" is not removed (${because}): ${present.length} of the ${staying.length} voters that stay take part and ${quorum(staying.length)} must; repair them first`,
        );
    }
    return step({ kind: "remove", name, memberId: leaving.id, snapshotOn: snapshotHost(world, leaving) }, because);
}
