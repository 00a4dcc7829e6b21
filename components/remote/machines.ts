/** Which connections lead to the same machine: one may be reached at several addresses. */
import type { SshConnection } from "./ssh";

/** Prints what tells a machine from every other: copies of one disk differ in their boot, containers of one kernel in their network. */
export const MACHINE_SCRIPT = `id=; boot=
{ read -r id </etc/machine-id; read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null
echo "$id $boot $(readlink /proc/self/ns/net)"`;

/** Answers from /proc and /etc; a host that takes longer is taken for one of its own. */
const ANSWER_SECONDS = 15;

/** @returns the first connection to each machine, in the given order */
export async function onePerMachine(connections: readonly SshConnection[]): Promise<readonly SshConnection[]> {
    const distinct = [...new Set(connections)];
    if (distinct.length < 2) return distinct;
    const ids = await Promise.all(distinct.map(machineOf));
    return distinct.filter((_, index) => ids[index] === undefined || ids.indexOf(ids[index]) === index);
}

async function machineOf(connection: SshConnection): Promise<string | undefined> {
    const answer = await connection.run(MACHINE_SCRIPT, { timeoutSeconds: ANSWER_SECONDS }).catch(() => undefined);
    return answer?.stdout.trim() || undefined;
}
