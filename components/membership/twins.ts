/** Former hosts that are a declared host at an address that it had, or still has. Pure. */
import type { Desired, Observation } from "./types";

/** What is wanted and seen, each machine once: a machine that is declared is no former one, whatever it was known as. */
export function withoutTwins(
    wanted: Desired,
    seen: Observation,
): { readonly wanted: Desired; readonly seen: Observation } {
    const declared = new Set(wanted.hosts.flatMap(({ key }) => seen.hosts[key]?.machine ?? []));
    const twins = new Set(
        wanted.retired.flatMap(({ key }) => {
            const machine = seen.hosts[key]?.machine;
            return machine !== undefined && declared.has(machine) ? [key] : [];
        }),
    );
    if (twins.size === 0) return { wanted, seen };
    return {
        wanted: { ...wanted, retired: wanted.retired.filter(({ key }) => !twins.has(key)) },
        seen: { ...seen, hosts: Object.fromEntries(Object.entries(seen.hosts).filter(([key]) => !twins.has(key))) },
    };
}
