/** Whether a cluster can be taken over as it is: asked of etcd before anything is changed on any host. */
import { desiredOf, type MembershipInputs } from "../membership/inputs";
import { Observer } from "../membership/observe";
import { wholePlan } from "../membership/plan";
import type { Desired, Observation } from "../membership/types";
import { isAtItsPlace } from "../membership/world";
import type { HostLook } from "../provision/look";
import { isStrangers } from "../provision/problems";
import type { ProvisionInputs } from "../provision/inputs";
import { pool } from "../remote/connectionPool";
import { lentByHosts } from "./lent";
import { phaseProblems } from "./takeover";

/** Only etcd's own answers are waited for here, not changes. */
const TIMEOUTS = { healthSeconds: 30, syncSeconds: 300, changeSeconds: 30, lockSeconds: 0, commandSeconds: 60 };

/** Why the cluster on these hosts is not taken over, or why its take-over is not ended: one sentence each. Never fails. */
export async function takeoverProblems(
    inputs: ProvisionInputs,
    hosts: readonly HostLook[],
): Promise<readonly string[]> {
    const problems = phaseProblems(inputs, hosts);
    if (!isFirst(inputs, hosts) || problems.length > 0) return problems;
    const wanted = asItIs(inputs);
    const observer = new Observer(wanted, pool, undefined, "ssh", await lentByHosts(pool, inputs, wanted.hosts, ""));
    try {
        return clusterProblems(await observer.observe(), wanted, (key) => observer.silence(key));
    } finally {
        observer.close();
    }
}

/** Something is taken over that was not yet: another state's host, or an etcd that was set up by hand. */
export function isFirst(inputs: ProvisionInputs, hosts: readonly HostLook[]): boolean {
    if (!inputs.adopt) return false;
    return hosts.some(({ facts }) => facts && (isStrangers(inputs, facts) || (facts.foreign && !facts.isTakenOver)));
}

/** The declared cluster, without anything that would change on its hosts. */
function asItIs(inputs: ProvisionInputs): Desired {
    const { cluster, clusterToken, version, dataDir, firewall, deleteDataOnDestroy } = inputs;
    const declared: MembershipInputs = {
        schemaVersion: 1,
        cluster,
        clusterToken,
        version,
        dataDir,
        releaseDir: "",
        hosts: inputs.hosts.map((host) => ({ ...host, generation: "" })),
        maxLearners: 1,
        allowEvenSize: true,
        firewall,
        deleteDataOnDestroy,
        access: "ssh",
        timeouts: TIMEOUTS,
        credentials: { ca: "", cert: "", key: "" },
        stack: "",
    };
    const desired = desiredOf({}, declared);
    return { ...desired, hosts: desired.hosts.map((host) => ({ ...host, generation: undefined })) };
}

/** Pure. */
export function clusterProblems(
    seen: Observation,
    wanted: Desired,
    silence: (key: string) => string | undefined,
): readonly string[] {
    const members = wanted.hosts.flatMap((host) => {
        const where = `host "${host.name}" (${host.address})`;
        const status = seen.hosts[host.key]?.status;
        if (!status?.isHealthy) {
            const why = silence(host.key);
            return [
                `${where}: its member does not answer${why ? ` (${why})` : ""}, and only a cluster that is well is taken over: repair it, or remove the member with etcdctl and take the host off the list`,
            ];
        }
        if (status.version !== wanted.version) {
            return [
                `${where}: etcd ${status.version} runs on it, declared is ${wanted.version}: declare version "${status.version}", and change it when the cluster is taken over`,
            ];
        }
        return [];
    });
    if (members.length > 0) return members;
    const elsewhere = wanted.hosts.flatMap((host) => {
        const member = seen.cluster?.members.find(({ id }) => id === seen.hosts[host.key]?.status?.memberId);
        if (!member || isAtItsPlace(host, member)) return [];
        return [
            `host "${host.name}" (${host.address}): its member has the peer URL ${member.peerUrls.join(", ")}, wanted is ${host.peerUrl}: declare its address and peerPort, or change it first: etcdctl member update ${member.id} --peer-urls ${host.peerUrl}`,
        ];
    });
    if (elsewhere.length > 0) return elsewhere;
    const { refusal } = wholePlan(seen, wanted);
    return refusal === undefined ? [] : [refusal];
}
