/**
 * Is a history of one register linearizable? Wing and Gong's search, with Lowe's just-in-time linearization ("Testing for
 * linearizability", 2017): operations take effect no earlier than when some operation's return forces it, and the configurations that are
 * possible at a moment are kept as a set, so that none is searched twice. An operation whose outcome is not known stays pending for ever.
 */
import type { RegisterOperation } from "./recording";

/** One way in which the history so far may have gone: the register's value, and which pending operations have taken effect. */
interface Configuration {
    readonly value: string | undefined;
    readonly done: ReadonlySet<number>;
}

/** The first operation whose return can't be explained. */
export interface Violation {
    readonly operation: RegisterOperation;
    /** What the register could hold when it was at its end. */
    readonly possible: readonly (string | undefined)[];
}

interface Event {
    readonly atMs: number;
    readonly isReturn: boolean;
    readonly index: number;
}

/** @returns undefined if there is an order that explains all that was answered; the register is empty at first */
export function violationIn(history: readonly RegisterOperation[]): Violation | undefined {
    const operations = withoutUnseen(history);
    const pending = new Set<number>();
    let configurations: ReadonlyMap<string, Configuration> = new Map([["", { value: undefined, done: new Set() }]]);
    for (const { isReturn, index } of eventsOf(operations)) {
        if (!isReturn) {
            pending.add(index);
            continue;
        }
        const possible = [...new Set([...configurations.values()].map(({ value }) => value))];
        configurations = returned(configurations, operations, pending, index);
        if (configurations.size === 0) return { operation: operations[index]!, possible };
        pending.delete(index);
    }
    return undefined;
}

/** What an operation makes of a value; "impossible" if it can't have been answered as it was with that value there. */
export function effect(
    operation: RegisterOperation,
    value: string | undefined,
): { readonly value: string | undefined } | "impossible" {
    switch (operation.kind) {
        case "read":
            return operation.endedMs === undefined || operation.value === value ? { value } : "impossible";
        case "write":
            return { value: operation.value };
        case "compare-and-swap":
            if (operation.endedMs !== undefined && operation.isSwapped === false)
                return value !== operation.expected && value === operation.found ? { value } : "impossible";
            return value === operation.expected ? { value: operation.value } : "impossible";
    }
}

/** The configurations in which an operation has taken effect, reached from those that were possible before its return. */
function returned(
    before: ReadonlyMap<string, Configuration>,
    operations: readonly RegisterOperation[],
    pending: ReadonlySet<number>,
    index: number,
): ReadonlyMap<string, Configuration> {
    const after = new Map<string, Configuration>();
    const seen = new Set(before.keys());
    const work = [...before.values()];
    for (let configuration = work.pop(); configuration; configuration = work.pop()) {
        const { value, done } = configuration;
        if (done.has(index)) {
            const rest = { value, done: new Set([...done].filter((other) => other !== index)) };
            after.set(keyOf(rest), rest);
            continue;
        }
        for (const candidate of pending) {
            if (done.has(candidate)) continue;
            const result = effect(operations[candidate]!, value);
            if (result === "impossible") continue;
            const next = { value: result.value, done: new Set([...done, candidate]) };
            const key = keyOf(next);
            if (seen.has(key)) continue;
            seen.add(key);
            work.push(next);
        }
    }
    return after;
}

function keyOf({ value, done }: Configuration): string {
    return `${JSON.stringify(value) ?? ""} ${[...done].sort((a, b) => a - b).join(",")}`;
}

/**
 * An operation of unknown outcome whose value nobody ever saw explains nothing: any order with it is an order without it, too. Leaving
 * it out keeps the number of configurations small.
 */
function withoutUnseen(history: readonly RegisterOperation[]): readonly RegisterOperation[] {
    const seen = new Set(history.flatMap(valuesSeenBy));
    return history.filter(
        (operation) => operation.endedMs !== undefined || (operation.kind !== "read" && seen.has(operation.value)),
    );
}

/** A swap of unknown outcome may have seen what it expected. */
function valuesSeenBy(operation: RegisterOperation): readonly (string | undefined)[] {
    if (operation.kind === "read") return operation.endedMs === undefined ? [] : [operation.value];
    if (operation.kind === "write") return [];
    return operation.isSwapped === false ? [operation.found] : [operation.expected];
}

/** Calls come before returns of the same moment, so that the two count as concurrent. */
function eventsOf(operations: readonly RegisterOperation[]): readonly Event[] {
    return operations
        .flatMap(({ calledMs, endedMs }, index): readonly Event[] => [
            { atMs: calledMs, isReturn: false, index },
            ...(endedMs === undefined ? [] : [{ atMs: endedMs, isReturn: true, index }]),
        ])
        .sort((a, b) => a.atMs - b.atMs || Number(a.isReturn) - Number(b.isReturn));
}
