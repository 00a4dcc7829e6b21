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

/** The longest time without an acknowledgement that a phase has a part in; it may have begun before or ended after. */
function longestGap(writes: readonly Write[], beganMs: number, endMs: number): number {
    const moments = writes
        .filter(({ revision }) => revision !== undefined)
        .map(({ endedMs }) => endedMs)
        .sort((a, b) => a - b);
    const first = moments.findLastIndex((moment) => moment <= beganMs);
    const after = moments.findIndex((moment) => moment >= endMs);
    const inside = moments.slice(Math.max(first, 0), after === -1 ? undefined : after + 1);
    // Nobody was heard before, or after.
    const points = [...(first === -1 ? [beganMs] : []), ...inside, ...(after === -1 ? [endMs] : [])];
    return Math.max(0, ...points.slice(1).map((point, index) => point - points[index]!));
}

export function quantile(sorted: readonly number[], share: number): number {
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

function counted(words: readonly string[]): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
    return counts;
}
