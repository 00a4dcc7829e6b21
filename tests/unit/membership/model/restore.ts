/** A cluster of the model that begins anew from a snapshot: what a restore lays down is a cluster of one, with an id of its own. */
import { ScriptFailed, Violation } from "./errors";
import type { Lab } from "./lab";
import type { Machine } from "./machine";

/** The effects of putting what was restored in the place of the data. */
export function putRestored(lab: Lab, reach: () => Machine): readonly (() => void)[] {
    let restored: string | undefined;
    return [
        () => {
            const machine = reach();
            if (machine.data) return;
            if (machine.restored === undefined) throw new ScriptFailed(`${machine.name}: nothing was restored`);
            restored = machine.restored;
            machine.restored = undefined;
        },
        () => restored !== undefined && found(lab, reach(), restored),
    ];
}

function found(lab: Lab, machine: Machine, restored: string): void {
    const { name } = machine;
    const elder = lab.machines.find((one) => one.isReachable && one.service && lab.memberOn(one));
    if (elder)
        throw new Violation(`${name} founds a cluster while ${elder.name} still runs a member of the one before`);
    const [, entry] = restored.split(" ");
    const peerUrl = entry!.slice(entry!.indexOf("=") + 1);
    const member = { ...lab.newMember({ name, peerUrl }, false), name, wasStarted: true };
    const cluster = lab.newCluster(`cluster-${lab.clusters.length + 1}`);
    cluster.members.push(member);
    machine.data = { clusterId: cluster.id, memberId: member.id, index: cluster.committed };
    lab.tell(`${name} founds ${cluster.id} from a snapshot`);
}
