/** The one way in which a leader gets rid of the lead before something is done to it. */
import type { Member, Verdict, WantedHost, World } from "../types";
import { isLeader, nameOf, nextLeader, step, type Voter } from "../world";

/** @returns undefined when it does not lead, or nobody else can */
export function handOver(world: World, member: Member, because: string): Verdict | undefined {
    const successor = isLeader(world, member) ? nextLeader(world, member) : undefined;
    return successor && handOverTo(world, member, successor, because);
}

export function handOverTo(world: World, member: Member, { host, member: next }: Voter, because: string): Verdict {
    return step({ kind: "move-leader", from: nameOf(world, member), to: host.key, toId: next.id }, because);
}

/** Before a restart. */
export function handOverToRestart(world: World, { name }: WantedHost, member: Member): Verdict | undefined {
    return handOver(world, member, `"${name}" leads and is to restart`);
}
