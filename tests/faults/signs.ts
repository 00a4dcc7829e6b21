/** What a step of a run changes on hosts, seen from outside of the run and of the network: files, and etcd's own list. */
import { lstatSync, readdirSync, readlinkSync } from "node:fs";

import { hostPaths } from "../../components/host/paths";
import { directWay } from "../../components/remote/direct";
import type { EtcdCredentials } from "../../components/remote/etcdAccess";
import { openEtcd, type EtcdClient } from "../../components/remote/etcdClient";
import type { PeerTraffic } from "../../components/remote/etcdMetrics";
import type { Lab, LabHost } from "../../lab";
import { ControlGroup } from "../../lab/controlGroup";

export class Signs {
    private client: EtcdClient | undefined;

    constructor(
        private readonly lab: Lab,
        private readonly cluster: string,
        /** Who tells the member list, and with which certificate; a cluster that is being born is watched by its files alone. */
        private readonly teller: { readonly host: LabHost; readonly credentials: EtcdCredentials } | undefined,
    ) {}

    /** Equal as long as no step has had an effect. */
    async look(): Promise<string> {
        const files = this.lab.hosts.map((host) => `${host.name}\n${this.filesOf(host)}`);
        return [...files, await this.members()].join("\n");
    }

    /** The locks that a run has taken by now: each names its holder. */
    locks(): string {
        const file = `/run/pulumi-etcd-membership-${this.cluster}.lock`;
        return this.lab.hosts.map((host) => `${host.name} ${stamp(rootOf(host, this.lab) + file)}`).join("\n");
    }

    close(): void {
        this.client?.close();
    }

    private filesOf(host: LabHost): string {
        const root = rootOf(host, this.lab);
        const paths = hostPaths(this.cluster);
        const files = [
            paths.peers,
            paths.membershipEnv,
            paths.identity,
            paths.current,
            paths.unitFile,
            `/etc/systemd/system/multi-user.target.wants/${paths.unit}.service`,
            paths.root,
            `${paths.runtime}/generation`,
            `${paths.dataDir}/member/wal`,
        ];
        const lines = files.map((file) => `${file} ${stamp(root + file)}`);
        return [...lines, `link ${linkOf(root + paths.current)}`, ...namesIn(`${root}/var/lib/etcd`, 2)].join("\n");
    }

    /** The ids of those who vote, as one member knows them. */
    async voters(): Promise<readonly string[]> {
        const list = await (await this.ask())?.memberList({ linearizable: false });
        return (list ?? []).flatMap(({ id, isLearner }) => (isLearner ? [] : [id]));
    }

    /** Members with which that one exchanges messages, by id. */
    async heard(): Promise<ReadonlyMap<string, PeerTraffic>> {
        return (await (await this.ask())?.activePeers()) ?? new Map<string, PeerTraffic>();
    }

    private async members(): Promise<string> {
        const client = await this.ask();
        if (!client) return "";
        const [list, { leaderId }] = await Promise.all([client.memberList({ linearizable: false }), client.status()]);
        // A name comes when a member has started, long after the step that started it.
        const members = list.map(({ id, peerUrls, isLearner }) => `${id} ${peerUrls.join()} ${isLearner}`);
        return [...members.sort(), `leader ${leaderId}`].join("\n");
    }

    private async ask(): Promise<EtcdClient | undefined> {
        if (!this.teller) return undefined;
        const { host, credentials } = this.teller;
        this.client ??= await openEtcd(directWay(host.address), {
            ...credentials,
            address: host.address,
            clientPort: 2379,
            serverName: host.name,
        });
        return this.client;
    }
}

/** The host's files as this machine sees them: looking costs it nothing and goes over no network. */
export function rootOf(host: LabHost, lab: Lab): string {
    return `/proc/${new ControlGroup(lab.environment, host.name).initProcess()}/root`;
}

function stamp(path: string): string {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found ? `${found.ino} ${found.mtimeMs} ${found.size}` : "-";
}

function linkOf(path: string): string {
    try {
        return readlinkSync(path);
    } catch {
        return "-";
    }
}

/** What is there, and in what is there: data that was moved aside, and snapshots. */
function namesIn(directory: string, depth: number): readonly string[] {
    try {
        return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => [
            `${directory}/${entry.name}`,
            ...(entry.isDirectory() && depth > 1 ? namesIn(`${directory}/${entry.name}`, depth - 1) : []),
        ]);
    } catch {
        return [];
    }
}
