/** What is asked before anything is changed on any host of a cluster that is taken over, by the rules that the hosts' resource has. */
import { clusterProblems, isFirst } from "../../../../components/adoption/preflight";
import { inheritance, phaseProblems } from "../../../../components/adoption/takeover";
import { unlessNobody, type Authorities } from "../../../../components/adoption/authorities";
import { desiredOf, type MembershipInputs } from "../../../../components/membership/inputs";
import type { ProvisionInputs } from "../../../../components/provision/inputs";
import type { HostLook } from "../../../../components/provision/look";
import type { Desired } from "../../../../components/membership/types";
import type { Lab } from "./lab";
import type { Machine } from "./machine";
import { isThere, observe } from "./observe";
import { foreignOn, THEIR_UNIT } from "./takeOver";

/** What a program says of a take-over, and what is kept of it from one run to the next, even of one that died. */
export interface Adoption {
    /** `adopt: true` */
    isSet: boolean;
    /** Whom the members trusted before. */
    inherited: Authorities | undefined;
    /** Of this state. */
    owner: number;
}

/** Why nothing is changed anywhere. Settles what is inherited, if there is nothing to say. */
export function adopt(
    lab: Lab,
    machines: readonly Machine[],
    inputs: MembershipInputs,
    adoption: Adoption,
): string | undefined {
    const away = machines.find((machine) => !isThere(machine, machine.address));
    if (away) return `${away.name} can't be looked at`;
    lab.isTakingOver = adoption.isSet;
    const looks = machines.map((machine) => ({ host: machine, facts: facts(lab, machine) }) as unknown as HostLook);
    const provision = { ...inputs, owner: String(adoption.owner), ...(adoption.isSet && { adopt: {} }) };
    const asked = provision as unknown as ProvisionInputs;
    const problems = [
        ...machines.flatMap((machine) => hostProblems(machine, adoption)),
        ...phaseProblems(asked, looks),
    ];
    if (problems.length > 0) return problems.join("; ");
    if (isFirst(asked, looks)) {
        const wanted = asItIs(inputs);
        const [problem] = clusterProblems(observe(lab, wanted), wanted, () => undefined);
        if (problem) return problem;
    }
    adoption.inherited = adoption.isSet ? (adoption.inherited ?? inheritedFrom(asked, looks)) : undefined;
    lab.isTakingOver = adoption.inherited !== undefined;
    return undefined;
}

function inheritedFrom(inputs: ProvisionInputs, looks: readonly HostLook[]): Authorities | undefined {
    return unlessNobody(inheritance(inputs, looks));
}

function facts(lab: Lab, machine: Machine): unknown {
    const { staged, current, service, plainPeers, identity, owner, isTakenOver, hasNote, data } = machine;
    const foreign = lab.isTakingOver ? foreignOn(machine) : undefined;
    const runs = service && !service.isTheirs ? service.generation : current;
    return {
        isStaged: staged !== undefined,
        hasOurData: identity !== undefined,
        owner: owner === undefined ? undefined : String(owner),
        isTakenOver,
        trustsBoth: runs !== undefined && lab.revisionOf(runs).isTakingOver === true,
        hasPlainPeers: plainPeers !== undefined,
        isInterrupted: hasNote && data !== undefined && service === undefined,
        isPlain: false,
        authorities: staged !== undefined || foreign?.isPlain === false ? { clientCa: CA, peerCa: CA } : undefined,
        foreign: foreign && { ...foreign, options: optionsOf(foreign.isPlain === true) },
    };
}

const CA = "-----BEGIN CERTIFICATE-----\ntheirs\n-----END CERTIFICATE-----\n";

function optionsOf(isPlain: boolean): ReadonlyMap<string, string> {
    return new Map(isPlain ? [] : [["cert-file", "server.crt"]]);
}

/** What stands in the way of ours. */
function hostProblems({ name, service, data, identity, staged }: Machine, { isSet }: Adoption): readonly string[] {
    if (service?.isTheirs && !isSet) return [`port 2380 of ${name} is taken by ${THEIR_UNIT}`];
    if (data && !data.isElsewhere && !identity && !service?.isTheirs && (data.isTheirs || staged === undefined))
        return [`/var/lib/etcd/tools on ${name} holds etcd data, and nothing on the host says whose`];
    return [];
}

function asItIs(inputs: MembershipInputs): Desired {
    const desired = desiredOf({}, { ...inputs, maxLearners: 1, allowEvenSize: true });
    return { ...desired, hosts: desired.hosts.map((host) => ({ ...host, generation: undefined })) };
}
