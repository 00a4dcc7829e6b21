/** A program as the engine runs it up to membership: what it declares, what state keeps, and what its hosts are given. */
import type { RestoreArgs } from "../../../../components/args";
import type { MembershipInputs, MembershipState } from "../../../../components/membership/inputs";
import { moveProblems } from "../../../../components/provision/problems";
import type { Lab } from "./lab";
import { peerUrlOf, type Machine } from "./machine";
import { isThere } from "./observe";
import type { Adoption } from "./preflight";

/** What a program declares. */
export interface Program {
    readonly machines: readonly Machine[];
    /** Which of the lab's revisions every host is given. */
    readonly revision: number;
    readonly allowEvenSize: boolean;
    /** Of a cluster that is taken over, or was. */
    readonly adoption?: Adoption;
    readonly restore?: RestoreArgs;
}

export type State = Partial<MembershipState>;

export function inputsOf(lab: Lab, program: Program): MembershipInputs {
    const { machines, revision, allowEvenSize, adoption, restore } = program;
    return {
        schemaVersion: 1,
        cluster: "tools",
        clusterToken: "tools.1",
        version: "3.6.16",
        dataDir: "/var/lib/etcd/tools",
        releaseDir: "/opt/etcd/3.6.16",
        hosts: machines.map((machine) => ({
            name: machine.name,
            address: machine.address,
            peerPort: machine.peerPort,
            clientPort: 2379,
            ssh: { address: machine.address, user: "root" },
            generation: machine.generation(revision),
        })),
        maxLearners: lab.revisions[revision]?.maxLearners ?? 1,
        allowEvenSize,
        firewall: true,
        deleteDataOnDestroy: false,
        access: "ssh",
        // Longer than anything of the model takes, and no longer: a wait that fails costs a look for each second.
        timeouts: { healthSeconds: 12, syncSeconds: 15, changeSeconds: 12, lockSeconds: 60, commandSeconds: 60 },
        credentials: { ca: "", cert: "", key: "" },
        stack: "lab",
        ...(adoption?.inherited && { inherited: adoption.inherited }),
        ...(restore && { restore }),
    };
}

/** Lays generations down, as the hosts' own resources do before membership begins. */
export function stage(lab: Lab, { machines, revision, adoption }: Program): string | undefined {
    const [problem] = moveProblems(machines.map(factsOf));
    if (problem) return problem;
    const isTakenOver = lab.revisions[revision]?.isTakingOver === true;
    for (const machine of machines) {
        const generation = machine.generation(revision);
        if (machine.staged === generation && machine.owner === adoption?.owner) continue;
        if (!isThere(machine, machine.address)) return `${machine.name} can't be staged`;
        machine.staged = generation;
        if (machine.certified !== machine.address) lab.network.keep();
        machine.certified = machine.address;
        machine.owner = adoption?.owner;
        machine.isTakenOver = isTakenOver;
        machine.peers ??= isTakenOver ? machines.map(({ address }) => address) : [];
    }
    return undefined;
}

/** What the move of a host is judged by. */
function factsOf(machine: Machine): Parameters<typeof moveProblems>[0][number] {
    const { name, address, identity, current, service } = machine;
    const peerUrl = service?.peerUrl ?? (current && peerUrlOf(machine, current));
    const facts = isThere(machine, address) ? { hasOurData: identity !== undefined, peerUrl } : undefined;
    return { host: { name, address }, facts } as Parameters<typeof moveProblems>[0][number];
}
