/** Hosts as they were found → what a take-over has to do with. Pure. */
import type { HostLook } from "../provision/look";
import { isStrangers } from "../provision/problems";
import type { ProvisionInputs } from "../provision/inputs";
import { isPlain } from "./foreign";
import { NOBODY, together, type Authorities } from "./authorities";

/** Whom the members of a cluster trust that another state built; undefined where there is none. */
export function inheritance(inputs: ProvisionInputs, hosts: readonly HostLook[]): Authorities | undefined {
    if (!hosts.some(({ facts }) => facts && (isStrangers(inputs, facts) || facts.foreign))) return undefined;
    const trusted = together(hosts.flatMap(({ facts }) => facts?.authorities ?? []));
    const isPlainCluster = hosts.some(
        ({ facts }) => facts && (facts.isPlain || (facts.foreign && isPlain(facts.foreign))),
    );
    return isPlainCluster ? { ...NOBODY, ...trusted, isPlain: true } : trusted;
}

/** What speaks against a take-over, or against its end, as far as hosts show it without being asked for etcd. */
export function phaseProblems(inputs: ProvisionInputs, hosts: readonly HostLook[]): readonly string[] {
    const unfinished = hosts.filter(({ facts }) => facts && isUnfinished(inputs, facts));
    if (!inputs.adopt) {
        return unfinished
            .filter(({ facts }) => facts?.isTakenOver || facts?.isInterrupted)
            .map(
                ({ host }) =>
                    `host "${host.name}" (${host.address}): its member does not trust this stack's authorities yet, or has no TLS on its peer port, since a run that took the cluster over has not come to its end: set adopt: true again, run pulumi up, and take it away then`,
            );
    }
    if (hosts.every(({ facts }) => facts && !facts.isStaged && !facts.hasOurData && !facts.foreign)) {
        return [
            `adopt is set, and no declared host has a cluster with the token "${inputs.clusterToken}", or an etcd at port ${inputs.hosts[0]?.peerPort}: take adopt away to build one, or correct the hosts`,
        ];
    }
    if (unfinished.length === 0) return [];
    const strangers = hosts.flatMap(({ host, facts }) =>
        facts?.foreign?.isRunning ? [{ host, foreign: facts.foreign }] : [],
    );
    const [plain] = strangers.filter(({ foreign }) => isPlain(foreign));
    const [secure] = strangers.filter(({ foreign }) => !isPlain(foreign));
    if (plain && secure) {
        return [
            `the etcd on host "${secure.host.name}" has TLS and the one on "${plain.host.name}" has none, and all members have to be alike to be taken over: give all of them TLS, or none`,
        ];
    }
    return hosts
        .filter(({ facts }) => facts && !facts.isStaged && !facts.foreign)
        .map(
            ({ host }) =>
                `host "${host.name}" (${host.address}): it has nothing of the cluster that is taken over: take it off the list, run pulumi up, and declare it again then`,
        );
}

function isUnfinished(inputs: ProvisionInputs, facts: NonNullable<HostLook["facts"]>): boolean {
    return (
        isStrangers(inputs, facts) ||
        facts.foreign !== undefined ||
        facts.isInterrupted ||
        (facts.isTakenOver && (!facts.trustsBoth || facts.hasPlainPeers))
    );
}
