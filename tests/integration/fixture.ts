/** Lab hosts and what declares them: what the suites of real clusters share. */
import type { EtcdClusterArgs, EtcdHostArgs } from "../../components";
import { closeLab, openLab, type Lab, type LabHost, type LabHostSpec, type LabSpec } from "../../lab";
import { releaseArchive } from "../../lab/release";

/** Of the etcd that hosts run where a test does not name one, as a series or exactly. */
export const ETCD_VERSION = process.env.ETCD_VERSION ?? "3.6";

export interface Bed {
    readonly lab: Lab;
    /** The arguments of a cluster on the first hosts, or on those that are named. */
    readonly declare: (hosts: number | readonly string[], changes?: Partial<EtcdClusterArgs>) => EtcdClusterArgs;
}

export interface BedOptions {
    /** Of etcd, as a series or exactly. @default {@link ETCD_VERSION} */
    readonly version?: string;
    /** The one host through which this machine reaches the others. */
    readonly bastion?: LabHostSpec;
    /** `memory`, unless a disk's speed is what matters: one that stalls for seconds makes clients and etcd give up, and shows nothing. */
    readonly storage?: LabSpec["storage"];
}

/**
 * Hosts `a`, `b`, … of an environment with a network of its own.
 * @param network three numbers: `10.80.1`; its hosts are at .11, .12, …
 */
export async function openBed(
    environment: string,
    network: string,
    count: number,
    { version = ETCD_VERSION, bastion, storage = "memory" }: BedOptions = {},
): Promise<Bed> {
    const hosts = [..."abcdefg"].slice(0, count).map((name, index) => ({ name, address: `${network}.${11 + index}` }));
    // What an earlier run that was killed may have left is no place to begin.
    await closeLab(environment);
    const [lab, release] = await Promise.all([
        openLab({ environment, hosts, storage, ...(bastion && { bastion }) }),
        releaseArchive(version),
    ]);
    return {
        lab,
        declare: (chosen, changes = {}) => ({
            version: release.version,
            install: { source: "file", path: release.path, sha256: release.sha256 },
            hosts: hosts.filter(({ name }, index) =>
                typeof chosen === "number" ? index < chosen : chosen.includes(name),
            ) satisfies EtcdHostArgs[],
            ssh: {
                user: "root",
                privateKey: lab.privateKey,
                hostKeys: Object.fromEntries(hosts.map(({ name }) => [name, lab.host(name).publicHostKey])),
            },
            ...changes,
        }),
    };
}

/** etcdctl on a member's host, with the member's own certificate. @throws with what etcdctl said */
export async function etcdctl(host: LabHost, cluster: string, command: string, port = 2379): Promise<string> {
    return host.output(`${etcdctlCommand(host, cluster, port)} ${command}`);
}

/** What to type on a member's host before etcdctl's own words. */
export function etcdctlCommand(host: LabHost, cluster: string, port = 2379): string {
    const root = `/etc/etcd/${cluster}`;
    return (
        `ETCDCTL_API=3 "$(dirname "$(sed -n 's/^ExecStart=//p' /etc/systemd/system/etcd-${cluster}.service)")"/etcdctl ` +
        `--endpoints https://${host.address}:${port} --cacert ${root}/current/client-ca.crt --cert ${root}/pki/server.crt --key ${root}/pki/server.key`
    );
}

/** What a member says of itself. As numbers, ids lose their last digits: these are to be compared with each other only. */
export interface Status {
    readonly version: string;
    readonly leader: number;
    readonly header: { readonly member_id: number; readonly revision: number };
}

export async function statusOf(host: LabHost, cluster: string, port?: number): Promise<Status> {
    const text = await etcdctl(host, cluster, "endpoint status --write-out json", port);
    return (JSON.parse(text) as readonly [{ readonly Status: Status }])[0].Status;
}

/** Who says that it leads. @throws when nobody does, or one that is asked does not answer */
export async function leaderOf(lab: Lab, names: readonly string[], cluster: string): Promise<string> {
    for (const name of names) {
        const { leader, header } = await statusOf(lab.host(name), cluster);
        if (leader === header.member_id) return name;
    }
    throw new Error(`none of ${names.join(", ")} says that it leads`);
}

interface MemberList {
    readonly members: readonly {
        readonly ID: string;
        readonly name?: string;
        readonly peerURLs: readonly string[];
        readonly isLearner?: boolean;
    }[];
}

/** The names in etcd's own member list, voters only, sorted. */
export async function voters(host: LabHost, cluster: string, port = 2379): Promise<readonly string[]> {
    const list = JSON.parse(await etcdctl(host, cluster, "member list --write-out json", port)) as MemberList;
    return list.members
        .filter((member) => !member.isLearner)
        .map((member) => member.name ?? "")
        .sort();
}

/** When each host's etcd was started: equal before and after means that nothing was restarted. */
export async function startTimes(lab: Lab, names: readonly string[], cluster: string): Promise<readonly string[]> {
    return Promise.all(
        names.map(async (name) =>
            (
                await lab
                    .host(name)
                    .output(`systemctl show --property ExecMainStartTimestampMonotonic,MainPID etcd-${cluster}`)
            ).trim(),
        ),
    );
}

/** A condition with a deadline. @throws the last failure when it does not come true in time */
export async function eventually(what: string, seconds: number, check: () => Promise<void>): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
        try {
            return await check();
        } catch (error) {
            if (Date.now() > deadline)
                throw new Error(
                    `${what} did not come true within ${seconds} s: ${error instanceof Error ? error.message : String(error)}`,
                    { cause: error },
                );
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
}
