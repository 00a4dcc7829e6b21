/** The table of changes: each figure the median of all rounds, gaps with the largest beside it. */
import type { PhaseReport } from "../tests/faults/workload/measures";
import { ROAMING } from "../tests/faults/workload/clients";
import type { Measured } from "./changes";

/** The longest gap that each change may have, in seconds. */
const GOALS: Readonly<Record<string, number>> = {
    "1 → 3": 0.1,
    "rolling restart": 1,
    "leader replaced": 1,
    "leader's host killed": 3,
};

export function changesTable(ours: readonly Measured[], byHand: readonly Measured[]): string {
    const names = [...new Set(ours.map(({ change }) => change))];
    const rows = names.map((name) => {
        const [up, hand] = [ours, byHand].map((all) => all.filter(({ change }) => change === name));
        return row(name, up!, hand!);
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

function row(name: string, up: readonly Measured[], hand: readonly Measured[]): readonly string[] {
    const gaps = up.map(({ during }) => during.longestGapMs / 1000);
    const handGaps = hand.map(({ during }) => during.longestGapMs / 1000);
    const goal = GOALS[name];
    const seconds = median(up.map((one) => one.seconds));
    const stepSeconds = median(up.map((one) => one.stepSeconds));
    const handSeconds = median(hand.map((one) => one.seconds));
    return [
        name,
        `${shown(median(gaps))}, ${shown(Math.max(...gaps))}`,
        goal === undefined ? "–" : `≤ ${goal}`,
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
