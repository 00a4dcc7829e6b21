/** What must be true when a run has come to its end, and nothing happens any more. */
import { isDeepStrictEqual } from "node:util";

import { desiredOf } from "../../../../components/membership/inputs";
import { describe, nextStep, wholePlan } from "../../../../components/membership/plan";
import { withoutTwins } from "../../../../components/membership/twins";
import { Violation } from "./errors";
import type { Lab } from "./lab";
import { voters } from "./raft";
import { observe } from "./observe";
import { inputsOf, type Program, type State } from "./program";
import { judgeTakenOver } from "./takeOver";

/** All is as declared, and nothing is left to do. @throws Violation */
export function judge(lab: Lab, program: Program, state: State): void {
    const all = desiredOf(state, inputsOf(lab, program));
    const { wanted, seen } = withoutTwins(all, observe(lab, all));
    const verdict = nextStep(seen, wanted);
    const plan = wholePlan(seen, wanted);
    if (verdict.verdict !== "done" || plan.steps.length > 0 || plan.refusal !== undefined)
        throw new Violation(`a second plan is not empty: ${plan.steps.map(describe).join("; ")} ${plan.refusal}`);
    const cluster = lab.clusters.find(({ id }) => id === state.clusterId);
    if (!cluster || !lab.raft.leads(cluster)) throw new Violation("the cluster does not answer at the end");
    if (program.adoption) judgeTakenOver(cluster, (member) => lab.machineOf(member));
    const listed = voters(cluster).map(({ peerUrl, name }) => `${name}=${peerUrl}`);
    const declared = program.machines.map(({ peerUrl, name }) => `${name}=${peerUrl}`);
    if (cluster.members.length !== listed.length || !isDeepStrictEqual(listed.sort(), declared.sort()))
        throw new Violation(`members are ${listed.join(" ")}, and declared are ${declared.join(" ")}`);
    const addresses = program.machines.map(({ address }) => address).sort();
    for (const machine of program.machines) {
        const { told, service, isEnabled, peers } = machine;
        const isAsWanted =
            told?.state === "existing" &&
            told.initialCluster === declared.join(",") &&
            service?.generation === machine.generation(program.revision) &&
            isEnabled &&
            isDeepStrictEqual([...(peers ?? [])].sort(), addresses);
        if (!isAsWanted) throw new Violation(`${machine.name} is not as declared: ${JSON.stringify(machine)}`);
    }
}
