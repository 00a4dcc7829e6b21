/** The table of changes: each figure the median of all rounds, gaps with the largest beside it. */
import type { PhaseReport } from "../tests/faults/workload/measures";
import { ROAMING } from "../tests/faults/workload/clients";
import type { Change } from "./changeList";
import type { Measured } from "./changes";

export function changesTable(
    changes: readonly Change[],
    ours: readonly Measured[],
    byHand: readonly Measured[],
): string {
    const rows = changes.map((change) => {
        const [up, hand] = [ours, byHand].map((all) => all.filter((one) => one.change === change.name));
        return row(change, up!, hand!);
    });
    const header = [
        "change",
        "longest gap (s), median, max",
        "goal",
        "by hand",
        "failed writes: moving on, all",
        "p99 before → during (ms)",
        "`up` (s)",
        "its steps (s)",
        "by hand (s)",
        "`up` : by hand",
        "steps : by hand",
    ];
    return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function row({ name, goalSeconds }: Change, up: readonly Measured[], hand: readonly Measured[]): readonly string[] {
    const gaps = up.map(({ during }) => during.longestGapMs / 1000);
    const handGaps = hand.map(({ during }) => during.longestGapMs / 1000);
    const seconds = median(up.map((one) => one.seconds));
    const stepSeconds = median(up.map((one) => one.stepSeconds));
    const handSeconds = median(hand.map((one) => one.seconds));
    return [
        name,
        `${shown(median(gaps))}, ${shown(Math.max(...gaps))}`,
        goalSeconds === undefined ? "–" : `≤ ${goalSeconds}`,
        `${shown(median(handGaps))}, ${shown(Math.max(...handGaps))}`,
        `${sum(up.map(({ during }) => during.failedBy[ROAMING] ?? 0))}, ${sum(up.map(({ during }) => during.failed))}`,
        `${latency(up.map(({ before }) => before))} → ${latency(up.map(({ during }) => during))}`,
        shown(seconds),
        shown(stepSeconds),
        shown(handSeconds),
        ratio(seconds, handSeconds),
        ratio(stepSeconds, handSeconds),
    ];
}

function latency(phases: readonly PhaseReport[]): string {
    return median(phases.map(({ p99Ms }) => p99Ms))!.toFixed(0);
}

function median(values: readonly (number | undefined)[]): number | undefined {
    const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
}

function sum(values: readonly number[]): number {
    return values.reduce((total, value) => total + value, 0);
}

function ratio(value: number | undefined, floor: number | undefined): string {
    return value === undefined || floor === undefined ? "–" : (value / floor).toFixed(1);
}

function shown(value: number | undefined): string {
    return value === undefined ? "–" : value.toFixed(2);
}
