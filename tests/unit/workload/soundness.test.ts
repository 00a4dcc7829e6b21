import assert from "node:assert/strict";

import { judge, assertSound } from "../../faults/workload/workload";
import type { Recording, RegisterOperation } from "../../faults/workload/recording";

const REGISTER = "w/t-register";

/** A sound recording of two clients and one register, with enough load to be judged. Key n is written at revision 2n + 1, the register in between. */
function soundRecording(): Recording {
    const count = 40;
    const indexes = Array.from({ length: count }, (_, index) => index);
    const key = (index: number): string => `w/t-${index % 2 === 0 ? "x" : "any"}/${String(index).padStart(6, "0")}`;
    const writes = indexes.map((index) => ({
        client: index % 2 === 0 ? "x" : "any",
        key: key(index),
        calledMs: index * 100,
        endedMs: index * 100 + 10,
        revision: 2 * index + 1,
    }));
    const register: RegisterOperation[] = indexes.map((index) => ({
        client: "x",
        calledMs: index * 100 + 50,
        endedMs: index * 100 + 60,
        revision: 2 * index + 2,
        kind: "compare-and-swap",
        ...(index > 0 && { expected: String(index - 1) }),
        value: String(index),
        isSwapped: true,
    }));
    const watched = indexes.flatMap((index) => [
        { revision: 2 * index + 1, type: "Put" as const, key: key(index), value: key(index) },
        { revision: 2 * index + 2, type: "Put" as const, key: REGISTER, value: String(index) },
    ]);
    const members = ["1 a https://a:2380 voter", "2 b https://b:2380 voter"];
    return {
        prefix: "w/t-",
        registerKey: REGISTER,
        phases: [
            { name: "before", beganMs: 0, minimumWrites: 10 },
            { name: "change", beganMs: 2000, minimumWrites: 10 },
        ],
        endedMs: 4000,
        writes,
        reads: writes.map((write) => ({
            client: "x",
            key: write.key,
            calledMs: write.calledMs + 20,
            endedMs: write.calledMs + 30,
            revision: write.revision,
            keyRevision: write.revision,
        })),
        failedReads: 0,
        register,
        watched,
        watchConnections: 1,
        final: {
            revision: 2 * count,
            keys: [
                ...writes.map((write) => ({ key: write.key, value: write.key, revision: write.revision })),
                { key: REGISTER, value: String(count - 1), revision: 2 * count },
            ],
        },
        replicas: ["a", "b"].map((endpoint) => ({ endpoint, hash: "77", compactRevision: "-1", members })),
        clients: [{ client: "x", seconds: 4 }],
    };
}

/** A copy with one entry of a list changed, or left out. */
function changed<T>(list: readonly T[], index: number, change: ((entry: T) => T) | undefined): T[] {
    return list.flatMap((entry, at) => (at !== index ? [entry] : change ? [change(entry)] : []));
}

describe("the workload's verdict", () => {
    it("is sound for a sound recording", () => assertSound(judge(soundRecording())));

    it("is sound when writes of unknown outcome show up, and others do not", () => {
        const sound = soundRecording();
        const lost = { client: "x", key: "w/t-x/lost", calledMs: 500, endedMs: 900, error: "deadline" };
        const writes = changed(sound.writes, 39, ({ revision: _, ...write }) => ({ ...write, error: "deadline" }));
        assertSound(judge({ ...sound, writes: [...writes, lost], reads: sound.reads.slice(0, 39) }));
    });

    const planted: Record<string, readonly [(sound: Recording) => Partial<Recording>, RegExp]> = {
        "an acknowledged write is gone": [
            ({ final }) => ({ final: { ...final, keys: final.keys.slice(1) } }),
            /the write of "w\/t-x\/000000" was acknowledged at revision 1, and the key is not there/,
        ],
        "a key was written again": [
            ({ final }) => ({
                final: { ...final, keys: changed(final.keys, 0, (one) => ({ ...one, revision: 90 })) },
            }),
            /"w\/t-x\/000000" was acknowledged at revision 1, and is there at 90/,
        ],
        "a key is there that nobody wrote": [
            ({ final }) => ({
                final: { ...final, keys: [...final.keys, { key: "w/t-z/0", value: "", revision: 3 }] },
            }),
            /"w\/t-z\/0" is there, and nobody wrote it/,
        ],
        "two writes have one revision": [
            ({ writes }) => ({ writes: changed(writes, 2, (one) => ({ ...one, revision: 3 })) }),
            /have the same revision 3/,
        ],
        "a later write has an earlier revision": [
            ({ writes }) => ({ writes: changed(writes, 30, (one) => ({ ...one, revision: 0 })) }),
            /was called after .* had ended, and is of revision 0/,
        ],
        "a read is of an old revision": [
            ({ reads }) => ({ reads: changed(reads, 20, (one) => ({ ...one, revision: 5 })) }),
            /the read of .* was called after .* had ended, and is of revision 5/,
        ],
        "a read does not find what was acknowledged": [
            ({ reads }) => ({ reads: changed(reads, 20, ({ keyRevision: _, ...one }) => one) }),
            /x read "w\/t-x\/000020" at revision 41 and found nothing, after its write had been acknowledged at 41/,
        ],
        "the register is not linearizable": [
            ({ register }) => ({ register: changed(register, 20, (one) => ({ ...one, kind: "read", value: "3" })) }),
            /the register is not linearizable/,
        ],
        "a swap took effect twice": [
            ({ watched }) => ({
                watched: [...watched, { revision: 81, type: "Put", key: REGISTER, value: "39" }],
            }),
            /the register was set to "39" more than once/,
        ],
        "the watch left something out": [
            ({ watched }) => ({ watched: watched.slice(0, -2) }),
            /the watch did not tell of "w\/t-any\/000039" at revision 79/,
        ],
        "the watch left a swap out": [
            ({ watched }) => ({ watched: changed(watched, 41, undefined) }),
            /the watch did not tell of the register's revision 42/,
        ],
        "the watch told something twice": [
            ({ watched }) => ({ watched: [...watched, { ...watched[0]!, revision: 90 }] }),
            /the watch told of "w\/t-x\/000000" more than once/,
        ],
        "the watch was out of order": [
            ({ watched }) => ({ watched: [...watched.slice(2), ...watched.slice(0, 2)] }),
            /the watch told of "w\/t-x\/000000" at revision 1 after 80/,
        ],
        "something was deleted": [
            ({ watched }) => ({ watched: changed(watched, 0, (one) => ({ ...one, type: "Delete" })) }),
            /"w\/t-x\/000000" was deleted, and nobody did that/,
        ],
        "a member holds other data": [
            ({ replicas }) => ({ replicas: changed(replicas, 1, (one) => ({ ...one, hash: "78" })) }),
            /b and a differ at revision 80: their hashes are 78/,
        ],
        "a member has another member list": [
            ({ replicas }) => ({ replicas: changed(replicas, 1, (one) => ({ ...one, members: [] })) }),
            /b and a have different member lists/,
        ],
        "a member does not answer at the end": [
            ({ replicas }) => ({ replicas: changed(replicas, 1, () => ({ endpoint: "b", error: "no answer" })) }),
            /b: no answer/,
        ],
        "a phase has too few writes": [
            ({ phases }) => ({ phases: changed(phases, 1, (one) => ({ ...one, minimumWrites: 21 })) }),
            /phase "change" had 20 acknowledged writes in 2\.0 s, and fewer than 21 prove nothing/,
        ],
        "a client has too few writes": [
            ({ clients }) => ({ clients: [...clients, { client: "y", seconds: 4 }] }),
            /client y had 0 acknowledged writes in 4\.0 s/,
        ],
        "the register was hardly swapped": [
            ({ register, watched }) => ({
                register: register.slice(0, 9),
                watched: watched.filter(({ key, value }) => key !== REGISTER || Number(value) < 9),
            }),
            /the register was swapped 9 times/,
        ],
    };
    for (const [what, [plant, finding]] of Object.entries(planted))
        it(`is a failure that says so when ${what}`, () => {
            const sound = soundRecording();
            assert.throws(() => assertSound(judge({ ...sound, ...plant(sound) })), finding);
        });

    it("tells the longest gap of the client that moves on, of all, and latencies", () => {
        const sound = soundRecording();
        const [before, change] = judge(sound).phases;
        assert.equal(before!.acknowledged, 20);
        assert.equal(change!.longestGapMs, 200);
        assert.equal(change!.longestSilenceMs, 100);
        assert.equal(change!.p50Ms, 10);
        const silent = { ...sound, writes: sound.writes.filter(({ calledMs }) => calledMs < 1900 || calledMs >= 2600) };
        const [left, right] = judge(silent).phases;
        // From the last acknowledgement at 1810 ms to the next at 2610 ms: the larger part is in the second phase.
        assert.equal(left!.longestSilenceMs, 100);
        assert.equal(right!.longestSilenceMs, 800);
    });

    it("counts the end of the run as the end of a gap", () => {
        const sound = soundRecording();
        const [, change] = judge({ ...sound, endedMs: 9010, writes: sound.writes }).phases;
        assert.equal(change!.longestSilenceMs, 9010 - 3910);
    });
});
