import assert from "node:assert/strict";

import * as fc from "fast-check";

import { effect, violationIn } from "../../faults/workload/linearizability";
import type { RegisterAction, RegisterOperation } from "../../faults/workload/recording";
import { Random } from "../membership/model/random";

/** An operation from one moment to another; without an end its outcome is not known. */
function operation(calledMs: number, endedMs: number | undefined, action: RegisterAction): RegisterOperation {
    return { client: `at ${calledMs}`, calledMs, ...(endedMs !== undefined && { endedMs }), ...action };
}

const write = (value: string): RegisterAction => ({ kind: "write", value });
const read = (value?: string): RegisterAction => ({ kind: "read", ...(value !== undefined && { value }) });
const swap = (expected: string | undefined, value: string, isSwapped?: boolean, found?: string): RegisterAction => ({
    kind: "compare-and-swap",
    ...(expected !== undefined && { expected }),
    value,
    ...(isSwapped !== undefined && { isSwapped }),
    ...(found !== undefined && { found }),
});

describe("the register's history", () => {
    const sound: Record<string, readonly RegisterOperation[]> = {
        "has no operation": [],
        "is a sequence": [
            operation(0, 1, read()),
            operation(2, 3, write("a")),
            operation(4, 5, read("a")),
            operation(6, 7, swap("a", "b", true)),
            operation(8, 9, swap("a", "c", false, "b")),
            operation(10, 11, read("b")),
        ],
        "has reads that see a concurrent write, one early and one late": [
            operation(0, 10, write("a")),
            operation(1, 2, read()),
            operation(3, 4, read("a")),
        ],
        "has a write of unknown outcome that shows up much later": [
            operation(0, undefined, write("a")),
            operation(1, 2, write("b")),
            operation(3, 4, read("b")),
            operation(50, 51, read("a")),
        ],
        "has writes and swaps of unknown outcome that never show up": [
            operation(0, undefined, write("a")),
            operation(0, undefined, swap(undefined, "b")),
            operation(1, 2, read()),
        ],
        "has a swap of unknown outcome that was done": [
            operation(0, 1, write("a")),
            operation(2, undefined, swap("a", "b")),
            operation(3, 4, swap("b", "c", true)),
            operation(5, 6, read("c")),
        ],
        "has operations that touch at one moment, which count as concurrent": [
            operation(0, 1, write("a")),
            operation(1, 2, read()),
        ],
    };
    for (const [what, history] of Object.entries(sound))
        it(`is sound when it ${what}`, () => assert.equal(violationIn(history), undefined));

    const planted: Record<string, readonly [readonly RegisterOperation[], number]> = {
        "a stale read": [[operation(0, 1, write("a")), operation(2, 3, write("b")), operation(4, 5, read("a"))], 2],
        "a lost write": [[operation(0, 1, write("a")), operation(2, 3, read())], 1],
        "two swaps that both took effect": [
            [
                operation(0, 1, write("a")),
                operation(2, 10, swap("a", "b", true)),
                operation(3, 11, swap("a", "c", true)),
            ],
            2,
        ],
        "a swap that took effect twice": [
            [
                operation(0, 1, write("a")),
                operation(2, 3, swap("a", "b", true)),
                operation(4, 5, write("a")),
                operation(6, 7, read("b")),
            ],
            3,
        ],
        "a swap of unknown outcome that took effect twice": [
            [
                operation(0, 1, write("a")),
                operation(2, undefined, swap("a", "b")),
                operation(3, 4, read("b")),
                operation(5, 6, write("a")),
                operation(7, 8, read("b")),
            ],
            4,
        ],
        "reads that go back": [[operation(0, 10, write("a")), operation(1, 2, read("a")), operation(3, 4, read())], 2],
        "a value that nobody wrote": [[operation(0, 1, write("a")), operation(2, 3, read("z"))], 1],
        "a swap that was refused though its value was there": [
            [operation(0, 1, write("a")), operation(2, 3, swap("a", "b", false, "a"))],
            1,
        ],
        "a swap that was done though another value was there": [
            [operation(0, 1, write("a")), operation(2, 3, swap("z", "b", true))],
            1,
        ],
        "a read of a write that was not called yet": [[operation(0, 1, read("a")), operation(2, 3, write("a"))], 0],
    };
    for (const [what, [history, culprit]] of Object.entries(planted))
        it(`is refused for ${what}, which is named`, () =>
            assert.equal(violationIn(history)?.operation, history[culprit]));

    const values = fc.constantFrom("a", "b", "c");
    const maybe = fc.option(values, { nil: undefined });
    const actions: fc.Arbitrary<RegisterAction> = fc.oneof(
        maybe.map(read),
        values.map(write),
        fc.tuple(maybe, values).map(([expected, value]) => swap(expected, value, true)),
        fc.tuple(maybe, values, maybe).map(([expected, value, found]) => swap(expected, value, false, found)),
    );
    const anyHistory = fc.array(
        fc
            .tuple(
                fc.integer({ min: 0, max: 12 }),
                fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
                actions,
            )
            .map(([calledMs, lasts, action]) =>
                lasts === undefined ? unknown(calledMs, action) : operation(calledMs, calledMs + lasts, action),
            ),
        { maxLength: 6 },
    );

    it("is judged as a search through all orders judges it", () => {
        let [refused, accepted] = [0, 0];
        fc.assert(
            fc.property(anyHistory, (history) => {
                const isSound = hasOrder(history, undefined);
                if (isSound) accepted += 1;
                else refused += 1;
                assert.equal(violationIn(history) === undefined, isSound);
            }),
            { numRuns: 5000 },
        );
        assert.ok(refused > 500 && accepted > 500, `${refused} were refused and ${accepted} accepted`);
    });

    it("is sound when a real register wrote it, with concurrent clients and lost answers", () => {
        fc.assert(
            fc.property(fc.nat(), (seed) => {
                assert.equal(violationIn(playRegister(new Random(seed), 300)), undefined);
            }),
            { numRuns: 50 },
        );
    });

    it("is judged at once when it is long, has many clients, and dozens of unknown outcomes", () => {
        const history = playRegister(new Random(7), 5000);
        assert.ok(history.filter(({ endedMs }) => endedMs === undefined).length > 50);
        assert.equal(violationIn(history), undefined);
        const late = history.at(-1)!.calledMs + 1000;
        const first = history.find(({ kind, endedMs }) => kind === "write" && endedMs !== undefined);
        const stale = operation(late, late + 1, read(first?.kind === "write" ? first.value : ""));
        assert.equal(violationIn([...history, stale])?.operation, stale);
    });
});

function unknown(calledMs: number, action: RegisterAction): RegisterOperation {
    return action.kind === "compare-and-swap"
        ? operation(calledMs, undefined, swap(action.expected, action.value))
        : operation(calledMs, undefined, action);
}

/** The definition itself: some order, that keeps to real time, explains every answer. */
function hasOrder(left: readonly RegisterOperation[], value: string | undefined): boolean {
    if (left.every(({ endedMs }) => endedMs === undefined)) return true;
    const firstEnd = Math.min(...left.map(({ endedMs = Infinity }) => endedMs));
    return left.some((candidate) => {
        if (candidate.calledMs > firstEnd) return false;
        const result = effect(candidate, value);
        return (
            result !== "impossible" &&
            hasOrder(
                left.filter((other) => other !== candidate),
                result.value,
            )
        );
    });
}

/** Five clients of a register that takes every operation at one moment between its call and its end; some answers are lost. */
function playRegister(random: Random, count: number): RegisterOperation[] {
    const next = (): number => random.below(100);
    const history: RegisterOperation[] = [];
    const open = new Map<number, { calledMs: number; action?: RegisterAction; intent: RegisterAction }>();
    let value: string | undefined;
    for (let nowMs = 0; history.length < count; nowMs += 1) {
        const client = next() % 5;
        const call = open.get(client);
        if (!call) {
            const fresh = String(nowMs);
            const kind = next() % 3;
            const intent = kind === 0 ? read() : kind === 1 ? write(fresh) : swap(value, fresh);
            open.set(client, { calledMs: nowMs, intent });
        } else if (!call.action) {
            // A lost request never takes effect; the client can't tell.
            if (next() < 3) {
                history.push(unknown(call.calledMs, call.intent));
                open.delete(client);
                continue;
            }
            call.action = answered(call.intent, value);
            const result = effect(operation(0, 1, call.action), value);
            assert.notEqual(result, "impossible");
            if (result !== "impossible") value = result.value;
        } else {
            history.push(
                next() < 3 ? unknown(call.calledMs, call.intent) : operation(call.calledMs, nowMs, call.action),
            );
            open.delete(client);
        }
    }
    // What has taken effect may have been seen, even if its answer is still to come.
    return [...history, ...[...open.values()].map(({ calledMs, intent }) => unknown(calledMs, intent))];
}

function answered(intent: RegisterAction, value: string | undefined): RegisterAction {
    if (intent.kind === "read") return read(value);
    if (intent.kind === "write") return intent;
    return intent.expected === value
        ? swap(intent.expected, intent.value, true)
        : swap(intent.expected, intent.value, false, value);
}
