/** What must hold whatever happens to the cluster. Each finding is a sentence; none means that the run was sound. */
import { violationIn } from "./linearizability";
import type { Recording, WatchEvent, Write } from "./recording";

export function violations(recording: Recording): readonly string[] {
    return [
        ...lostWrites(recording),
        ...strangeKeys(recording),
        ...revisionOrder(recording),
        ...staleReads(recording),
        ...registerViolations(recording),
        ...swapsDoneTwice(recording),
        ...watchViolations(recording),
        ...differentReplicas(recording),
    ];
}

function lostWrites({ writes, final }: Recording): readonly string[] {
    const there = new Map(final.keys.map((one) => [one.key, one]));
    return acknowledged(writes).flatMap(({ key, revision }) => {
        const found = there.get(key);
        if (!found) return [`the write of "${key}" was acknowledged at revision ${revision}, and the key is not there`];
        if (found.revision !== revision)
            return [`"${key}" was acknowledged at revision ${revision}, and is there at ${found.revision}`];
        return found.value === key ? [] : [`"${key}" holds "${found.value}", which nobody wrote to it`];
    });
}

function strangeKeys({ writes, final, registerKey }: Recording): readonly string[] {
    const known = new Set([registerKey, ...writes.map(({ key }) => key)]);
    return final.keys.filter(({ key }) => !known.has(key)).map(({ key }) => `"${key}" is there, and nobody wrote it`);
}

/** Something that was done at a revision, between two moments. */
interface Done {
    readonly what: string;
    readonly calledMs: number;
    readonly endedMs: number;
    readonly revision: number;
    readonly isWrite: boolean;
}

/** No two writes share a revision; what is called after another's end has a higher one, or, for a read, one no lower. */
function revisionOrder(recording: Recording): readonly string[] {
    const done = allDone(recording);
    const problems: string[] = [];
    const writers = new Map<number, Done>();
    for (const one of done.filter(({ isWrite }) => isWrite)) {
        const other = writers.get(one.revision);
        if (other) problems.push(`${one.what} and ${other.what} have the same revision ${one.revision}`);
        writers.set(one.revision, one);
    }
    const ended = [...done].sort((a, b) => a.endedMs - b.endedMs);
    let newest: Done | undefined;
    let next = 0;
    for (const one of [...done].sort((a, b) => a.calledMs - b.calledMs)) {
        for (; next < ended.length && ended[next]!.endedMs < one.calledMs; next += 1)
            if (!newest || ended[next]!.revision > newest.revision) newest = ended[next]!;
        if (!newest) continue;
        const isOld = one.isWrite ? one.revision <= newest.revision : one.revision < newest.revision;
        if (isOld)
            problems.push(
                `${one.what} was called after ${newest.what} had ended, and is of revision ${one.revision}, not after ${newest.revision}`,
            );
    }
    return problems;
}

/** Also the writes that nobody acknowledged and that are there: their end is not known. */
function allDone({ writes, reads, register, final }: Recording): readonly Done[] {
    const there = new Map(final.keys.map(({ key, revision }) => [key, revision]));
    return [
        ...writes.flatMap((write) => {
            const revision = write.revision ?? there.get(write.key);
            if (revision === undefined) return [];
            const endedMs = write.revision === undefined ? Infinity : write.endedMs;
            return [
                { what: `the write of "${write.key}"`, calledMs: write.calledMs, endedMs, revision, isWrite: true },
            ];
        }),
        ...reads.map((read) => ({ ...read, what: `the read of "${read.key}"`, isWrite: false })),
        ...register.flatMap(({ kind, client, calledMs, endedMs, revision, ...rest }) => {
            if (endedMs === undefined || revision === undefined) return [];
            const isWrite = kind === "write" || ("isSwapped" in rest && rest.isSwapped === true);
            return [{ what: `a ${kind} of the register by ${client}`, calledMs, endedMs, revision, isWrite }];
        }),
    ];
}

/** Only keys that were acknowledged before are read, and each is written once. */
function staleReads({ reads, writes }: Recording): readonly string[] {
    const revisions = new Map(acknowledged(writes).map(({ key, revision }) => [key, revision]));
    return reads.flatMap(({ key, client, keyRevision, revision }) =>
        keyRevision === revisions.get(key)
            ? []
            : [
                  `${client} read "${key}" at revision ${revision} and found ${keyRevision === undefined ? "nothing" : `revision ${keyRevision}`}, after its write had been acknowledged at ${revisions.get(key)}`,
              ],
    );
}

function registerViolations({ register }: Recording): readonly string[] {
    const violation = violationIn(register);
    if (!violation) return [];
    const { client, calledMs, endedMs, revision, ...action } = violation.operation;
    const could = violation.possible.map((value) => JSON.stringify(value) ?? "nothing").join(" or ");
    return [
        `the register is not linearizable: ${client} was answered ${JSON.stringify(action)} at revision ${revision} (from ${calledMs.toFixed(0)} to ${endedMs?.toFixed(0)} ms), when it could hold only ${could} or what was being written`,
    ];
}

/** Every value is written by one operation, so it appears once. */
function swapsDoneTwice({ watched, registerKey, register }: Recording): readonly string[] {
    const values = watched.filter(({ key }) => key === registerKey).map(({ value }) => value);
    const written = new Set(register.flatMap((one) => (one.kind === "read" ? [] : [one.value])));
    const refused = new Set(
        register.flatMap((one) => (one.kind === "compare-and-swap" && one.isSwapped === false ? [one.value] : [])),
    );
    return [
        ...repeated(values).map((value) => `the register was set to "${value}" more than once`),
        ...values
            .filter((value) => !written.has(value))
            .map((value) => `the register held "${value}", which nobody wrote`),
        ...values.filter((value) => refused.has(value)).map((value) => `a swap to "${value}" was refused and done`),
    ];
}

function watchViolations(recording: Recording): readonly string[] {
    const { watched, writes, register, final, registerKey, watchError } = recording;
    if (watchError !== undefined) return [`the watch could not go on: ${watchError}`];
    const keys = new Map(watched.filter(({ key }) => key !== registerKey).map((event) => [event.key, event]));
    const revisions = new Set(watched.map(({ revision }) => revision));
    const missed = [...acknowledged(writes), ...final.keys.filter(({ key }) => key !== registerKey)].filter(
        ({ key, revision }) => keys.get(key)?.revision !== revision,
    );
    const swaps = register.filter(
        ({ kind, revision, ...rest }) =>
            revision !== undefined &&
            (kind === "write" || ("isSwapped" in rest && rest.isSwapped === true)) &&
            !revisions.has(revision),
    );
    return [
        ...outOfOrder(watched),
        ...watched
            .filter(({ type }) => type === "Delete")
            .map(({ key }) => `"${key}" was deleted, and nobody did that`),
        ...repeated(watched.filter(({ key }) => key !== registerKey).map(({ key }) => key)).map(
            (key) => `the watch told of "${key}" more than once`,
        ),
        ...[...new Map(missed.map((one) => [one.key, one])).values()].map(
            ({ key, revision }) => `the watch did not tell of "${key}" at revision ${revision}`,
        ),
        ...swaps.map(({ revision }) => `the watch did not tell of the register's revision ${revision}`),
    ];
}

function outOfOrder(watched: readonly WatchEvent[]): readonly string[] {
    return watched.slice(1).flatMap(({ key, revision }, index) => {
        const before = watched[index]!.revision;
        return revision > before ? [] : [`the watch told of "${key}" at revision ${revision} after ${before}`];
    });
}

/** Hashes of different compactions can't be compared. */
function differentReplicas({ replicas, final }: Recording): readonly string[] {
    const silent = replicas.flatMap(({ endpoint, error }) => (error === undefined ? [] : [`${endpoint}: ${error}`]));
    const [first, ...others] = replicas.filter(({ error }) => error === undefined);
    if (!first) return [...silent, "no member answered at the end"];
    const told = others.flatMap((other) => [
        ...(other.hash === first.hash && other.compactRevision === first.compactRevision
            ? []
            : [
                  `${other.endpoint} and ${first.endpoint} differ at revision ${final.revision}: their hashes are ${other.hash} (compacted at ${other.compactRevision}) and ${first.hash} (${first.compactRevision})`,
              ]),
        ...(JSON.stringify(other.members) === JSON.stringify(first.members)
            ? []
            : [
                  `${other.endpoint} and ${first.endpoint} have different member lists: ${other.members?.join(", ")}; and ${first.members?.join(", ")}`,
              ]),
    ]);
    return [...silent, ...told];
}

function acknowledged(writes: readonly Write[]): readonly (Write & { readonly revision: number })[] {
    return writes.filter((write): write is Write & { readonly revision: number } => write.revision !== undefined);
}

function repeated(words: readonly string[]): readonly string[] {
    const seen = new Set<string>();
    return [...new Set(words.filter((word) => seen.size === seen.add(word).size))];
}
