/** Hosts as they were found → what a take-over has to do with. Pure. */
import type { HostLook } from "../provision/look";
import { isStrangers } from "../provision/problems";
import type { ProvisionInputs } from "../provision/inputs";
import { together, type Authorities } from "./authorities";

/** Whom the members of a cluster trust that another state built; undefined where there is none. */
export function inheritance(inputs: ProvisionInputs, hosts: readonly HostLook[]): Authorities | undefined {
    if (!hosts.some(({ facts }) => facts && (isStrangers(inputs, facts) || facts.foreign))) return undefined;
    return together(hosts.flatMap(({ facts }) => facts?.authorities ?? []));
}

/** What speaks against a take-over, or against its end, as far as hosts show it without being asked for etcd. */
export function phaseProblems(inputs: ProvisionInputs, hosts: readonly HostLook[]): readonly string[] {
    const unfinished = hosts.filter(({ facts }) => facts && isUnfinished(inputs, facts));
    if (!inputs.adopt) {
        return unfinished
            .filter(({ facts }) => facts?.isTakenOver)
            .map(
                ({ host }) =>
                    `host "${host.name}" (${host.address}): its member does not trust this stack's authorities yet, since a run that took the cluster over has not come to its end: set adopt: true again, run pulumi up, and take it away then`,
            );
    }
    if (hosts.every(({ facts }) => facts && !facts.isStaged && !facts.hasOurData && !facts.foreign)) {
        return [
            `adopt is set, and no declared host has a cluster with the token "${inputs.clusterToken}", or an etcd at port ${inputs.hosts[0]?.peerPort}: take adopt away to build one, or correct the hosts`,
        ];
    }
    if (unfinished.length === 0) return [];
    return hosts
        .filter(({ facts }) => facts && !facts.isStaged && !facts.foreign)
        .map(
            ({ host }) =>
                `host "${host.name}" (${host.address}): it has nothing of the cluster that is taken over: take it off the list, run pulumi up, and declare it again then`,
        );
}

function isUnfinished(inputs: ProvisionInputs, facts: NonNullable<HostLook["facts"]>): boolean {
    return isStrangers(inputs, facts) || facts.foreign !== undefined || (facts.isTakenOver && !facts.trustsBoth);
}
