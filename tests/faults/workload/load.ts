/** A run with too little load proves nothing, so it fails. */
import { measure } from "./measures";
import type { Recording } from "./recording";

/** A client that was there for less than this may have had no time. */
const MINIMUM_SECONDS = 2;
const WRITES_PER_CLIENT = 5;
const REGISTER_SWAPS = 10;
const READS = 10;

export function loadProblems(recording: Recording): readonly string[] {
    return [...phaseProblems(recording), ...clientProblems(recording), ...operationProblems(recording)];
}

function phaseProblems(recording: Recording): readonly string[] {
    return measure(recording).flatMap(({ name, acknowledged, seconds }, index) => {
        const wanted = recording.phases[index]!.minimumWrites;
        return acknowledged >= wanted
            ? []
            : [
                  `phase "${name}" had ${acknowledged} acknowledged writes in ${seconds.toFixed(1)} s, and fewer than ${wanted} prove nothing; let it last longer`,
              ];
    });
}

function clientProblems({ clients, writes }: Recording): readonly string[] {
    return clients.flatMap(({ client, seconds }) => {
        const done = writes.filter((write) => write.client === client && write.revision !== undefined).length;
        return seconds < MINIMUM_SECONDS || done >= WRITES_PER_CLIENT
            ? []
            : [
                  `client ${client} had ${done} acknowledged writes in ${seconds.toFixed(1)} s, and fewer than ${WRITES_PER_CLIENT} prove nothing; is its endpoint one that answers?`,
              ];
    });
}

function operationProblems({ register, reads }: Recording): readonly string[] {
    const swaps = register.filter((one) => one.kind === "compare-and-swap" && one.isSwapped).length;
    return [
        ...(swaps >= REGISTER_SWAPS
            ? []
            : [`the register was swapped ${swaps} times, and fewer than ${REGISTER_SWAPS} prove nothing`]),
        ...(reads.length >= READS
            ? []
            : [`${reads.length} keys were read linearizably, and fewer than ${READS} prove nothing`]),
    ];
}
