/** What each phase was like for those who wrote. */
import { ROAMING } from "./clients";
import type { Recording, Write } from "./recording";

export interface PhaseReport {
    readonly name: string;
    readonly seconds: number;
    readonly acknowledged: number;
    /** Writes without an acknowledgement, through whichever endpoint. */
    readonly failed: number;
    /** The same, by client: by endpoint, or "any". */
    readonly failedBy: Readonly<Record<string, number>>;
    /** How often each error was given. */
    readonly errors: Readonly<Record<string, number>>;
    /** Between two acknowledgements to the client that moves on to the next endpoint: what an application that knows all would see. */
    readonly longestGapMs: number;
    /** Between two acknowledgements to anybody. */
    readonly longestSilenceMs: number;
    /** Of acknowledged writes. */
    readonly p50Ms: number;
    readonly p99Ms: number;
}

export function measure(recording: Recording): readonly PhaseReport[] {
    return recording.phases.map(({ name, beganMs }, index) => {
        const endMs = recording.phases[index + 1]?.beganMs ?? recording.endedMs;
        const isIn = ({ calledMs }: Write): boolean => calledMs >= beganMs && calledMs < endMs;
        const acknowledged = recording.writes.filter((write) => isIn(write) && write.revision !== undefined);
        const failed = recording.writes.filter((write) => isIn(write) && write.revision === undefined);
        const latencies = acknowledged.map(({ calledMs, endedMs }) => endedMs - calledMs).sort((a, b) => a - b);
        const roaming = recording.writes.filter(({ client }) => client === ROAMING);
        return {
            name,
            seconds: (endMs - beganMs) / 1000,
            acknowledged: acknowledged.length,
            failed: failed.length,
            failedBy: counted(failed.map(({ client }) => client)),
            errors: counted(failed.map(({ error = "" }) => error)),
            longestGapMs: longestGap(roaming, beganMs, endMs),
            longestSilenceMs: longestGap(recording.writes, beganMs, endMs),
            p50Ms: quantile(latencies, 0.5),
            p99Ms: quantile(latencies, 0.99),
        };
    });
}

/** Errors that are answers; that there was none in time, by the client's own clock or by etcd's, may tell of a busy machine only. */
export function refusals({ errors }: PhaseReport): readonly string[] {
    return Object.keys(errors).filter((error) => !/DEADLINE_EXCEEDED|etcdserver: request timed out/.test(error));
}

/** The longest time without an acknowledgement. One that lies in two phases counts, whole, for the one with the larger part of it. */
function longestGap(writes: readonly Write[], beganMs: number, endMs: number): number {
    const moments = writes
        .filter(({ revision }) => revision !== undefined)
        .map(({ endedMs }) => endedMs)
        .sort((a, b) => a - b);
    // Nobody was heard before, or after.
    const points = [
        ...((moments[0] ?? Infinity) > beganMs ? [beganMs] : []),
        ...moments,
        ...((moments.at(-1) ?? -Infinity) < endMs ? [endMs] : []),
    ];
    return points.slice(1).reduce((longest, to, index) => {
        const from = points[index]!;
        const middle = (from + to) / 2;
        const isHere = (middle >= beganMs && middle < endMs) || (from <= beganMs && to >= endMs);
        return isHere ? Math.max(longest, to - from) : longest;
    }, 0);
}

export function quantile(sorted: readonly number[], share: number): number {
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

function counted(words: readonly string[]): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
    return counts;
}
