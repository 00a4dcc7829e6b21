/** Which cluster a state knows, from what was seen. Pure. */
import { otherCluster } from "./rules/stop";
import type { Id, World } from "./types";

/**
 * The id to be recorded: the known one stays until its cluster is given up. What is refused as another cluster is none that this state built.
 * @param before what would be recorded without this look
 */
export function clusterIdToKeep(world: World, before: Id | undefined): Id | undefined {
    if (otherCluster(world)) return before;
    return world.wanted.knownClusterId ?? world.seen.cluster?.clusterId ?? before;
}
