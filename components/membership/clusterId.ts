/** Which cluster a state knows, from what was seen. Pure. */
import { isPerhapsAnothers } from "./rules/stop";
import type { Id, World } from "./types";

/**
 * The id to be recorded: the known one stays until its cluster is given up. Of a cluster that is refused, since it may be another's, none is:
 * the next run would take it for this state's own.
 * @param before what would be recorded without this look
 */
export function clusterIdToKeep(world: World, before: Id | undefined): Id | undefined {
    if (isPerhapsAnothers(world)) return before;
    return world.wanted.knownClusterId ?? world.seen.cluster?.clusterId ?? before;
}
