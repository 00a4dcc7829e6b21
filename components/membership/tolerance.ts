/** How many members a cluster can lose and still take writes: before a step, while it is under way, and after it. Pure. */
import { predict } from "./predict";
import type { Desired, Observation, Step } from "./types";
import { isAlive, quorum, voters } from "./world";

/** What one moment of a cluster survives. */
export interface Tolerance {
    /** How many more may be lost. Below 0: too few take part for a quorum. */
    readonly spare: number;
    readonly voters: number;
}

/** Undefined while there is no cluster that answers. */
export function toleranceOf(seen: Observation, wanted: Desired): Tolerance | undefined {
    const world = { seen, wanted };
    const all = voters(world);
    if (all.length === 0) return undefined;
    return { spare: all.filter((voter) => isAlive(world, voter)).length - quorum(all.length), voters: all.length };
}

/** What a step risks, in words: `survives the loss of 0 of 2 → 1 of 3`. Undefined for a step that changes nothing about it. */
export function riskOf(seen: Observation, wanted: Desired, step: Step): string | undefined {
    const before = toleranceOf(seen, wanted);
    const after = toleranceOf(predict.step(seen, wanted, step), wanted);
    const meanwhile =
        step.kind === "restart" || step.kind === "take-over" || step.kind === "secure-peers"
            ? toleranceOf(without(seen, step.host), wanted)
            : undefined;
    if (meanwhile && before && meanwhile.spare < before.spare) {
        if (meanwhile.spare < 0) return "no quorum, and no writes, until it is back";
        return `survives the loss of ${path([before, meanwhile])} while it restarts${after ? `, then ${told(after)}` : ""}`;
    }
    if (!after || (before && told(before) === told(after))) return undefined;
    return `survives the loss of ${path(before ? [before, after] : [after])}`;
}

/**
 * All that a plan leads through, in words: `1 of 3 → 0 of 2 → 1 of 3`; a cluster that is given up on the way is `no cluster` until the next
 * one is founded. Undefined if it stays as it is.
 */
export function wayOf(moments: readonly (Tolerance | undefined)[]): string | undefined {
    const way = path(moments.slice(moments.findIndex((moment) => moment !== undefined)));
    return way.includes("→") ? way : undefined;
}

function path(moments: readonly (Tolerance | undefined)[]): string {
    const texts = moments.map((moment) => (moment ? told(moment) : "no cluster"));
    return texts.filter((text, index) => text !== texts[index - 1]).join(" → ");
}

function told({ spare, voters: all }: Tolerance): string {
    return spare < 0 ? `(no quorum) of ${all}` : `${spare} of ${all}`;
}

/** The world while one host's member is down. */
function without(seen: Observation, key: string): Observation {
    const host = seen.hosts[key];
    if (!host) return seen;
    const down = { ...host, unit: "inactive" as const, status: undefined, servesPeers: false };
    const { cluster } = seen;
    const isLed = cluster !== undefined && host.status?.memberId === cluster.leaderId;
    return {
        hosts: { ...seen.hosts, [key]: down },
        cluster: cluster && { ...cluster, ...(isLed && { leaderId: undefined }) },
    };
}
