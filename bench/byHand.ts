/** The same changes with nothing but etcd, systemd and etcdctl on bare hosts, without TLS: what etcd itself takes for them. */
import { readFile } from "node:fs/promises";

import type { LabHost } from "../lab";
import { releaseArchive } from "../lab/release";
import type { Bed } from "../tests/integration/fixture";

const STEP_SECONDS = 60;
/** Between two tries of what etcd refuses for now. */
const PAUSE_MS = 20;

export class ByHand {
    /** Who is a member now. */
    members: readonly string[] = [];

    constructor(private readonly bed: Bed) {}

    async install(names: readonly string[]): Promise<void> {
        const archive = await readFile((await releaseArchive("3.6")).path);
        for (const name of names)
            await this.host(name).output("mkdir -p /opt/hand && tar -xz -C /opt/hand --strip-components 1", {
                stdin: archive,
            });
    }

    async bootstrap(name: string): Promise<void> {
        await this.writeUnit(name, [name], "new");
        await this.host(name).output("systemctl start hand");
        this.members = [name];
    }

    endpoints(names = this.members): readonly string[] {
        return names.map((name) => `http://${this.host(name).address}:2379`);
    }

    /**
     * All learners are added first, then started, each when the one before answers at its peer port, then promoted. The end is when each
     * of them answers its clients, which may come seconds after it votes.
     */
    async add(names: readonly string[]): Promise<void> {
        for (const name of names) await this.etcdctl(`member add ${name} --learner --peer-urls ${this.peerUrl(name)}`);
        const all = [...this.members, ...names];
        for (const name of names) {
            await this.writeUnit(name, all, "existing");
            await this.host(name).output("systemctl start --no-block hand");
            await retry(`${name} answers`, async () => void (await fetch(`${this.peerUrl(name)}/version`)));
        }
        for (const name of names) {
            await this.etcdctl(`member promote ${await this.id(name)}`);
            this.members = [...this.members, name];
        }
        for (const name of names) await retry(`${name} is healthy`, () => this.tell([name], "endpoint health"));
    }

    async remove(name: string): Promise<void> {
        const id = await this.id(name);
        this.members = this.members.filter((other) => other !== name);
        await this.etcdctl(`member remove ${id}`);
        if (this.host(name).isRunning()) await this.host(name).output("systemctl stop hand; rm -rf /var/lib/hand");
    }

    async moveLeader(to: string): Promise<void> {
        await this.etcdctl(`move-leader ${await this.id(to)}`);
    }

    /** Followers first; `systemctl restart` ends when etcd says that it is ready. */
    async restartAll(): Promise<void> {
        const leader = await this.leader();
        const followers = this.members.filter((name) => name !== leader);
        for (const name of followers) await this.restart(name);
        await this.moveLeader(followers[0]!);
        await this.restart(leader);
    }

    async leader(): Promise<string> {
        const lines = await Promise.all(
            this.members.map(async (name) => {
                const text = await this.tell([name], "endpoint status --write-out json").catch(() => "[]");
                const [line] = JSON.parse(text) as { Status: { leader: number; header: { member_id: number } } }[];
                return line && line.Status.leader === line.Status.header.member_id ? name : undefined;
            }),
        );
        const found = lines.find((name) => name !== undefined);
        if (found === undefined) throw new Error(`none of ${this.members.join(", ")} leads`);
        return found;
    }

    private async restart(name: string): Promise<void> {
        await this.host(name).output("systemctl restart hand");
        await this.tell([name], "endpoint health");
    }

    private host(name: string): LabHost {
        return this.bed.lab.host(name);
    }

    private peerUrl(name: string): string {
        return `http://${this.host(name).address}:2380`;
    }

    private async id(name: string): Promise<string> {
        const { members } = JSON.parse(await this.etcdctl("member list --hex --write-out json")) as {
            members: readonly { readonly ID: string; readonly peerURLs: readonly string[] }[];
        };
        const member = members.find(({ peerURLs }) => peerURLs.includes(this.peerUrl(name)));
        if (!member) throw new Error(`"${name}" is no member`);
        return member.ID;
    }

    /** Again and again while etcd refuses, as somebody at a terminal would. */
    private etcdctl(command: string): Promise<string> {
        return retry(`etcdctl ${command}`, () => this.tell(this.members, command));
    }

    private tell(names: readonly string[], command: string): Promise<string> {
        const up = names.filter((name) => this.host(name).isRunning());
        const endpoints = this.endpoints(up).join(",");
        return this.host(up[0]!).output(`/opt/hand/etcdctl --endpoints ${endpoints} --command-timeout 5s ${command}`);
    }

    private async writeUnit(name: string, all: readonly string[], state: "new" | "existing"): Promise<void> {
        const clientUrl = `http://${this.host(name).address}:2379`;
        const flags = {
            name,
            "data-dir": "/var/lib/hand",
            "listen-peer-urls": this.peerUrl(name),
            "initial-advertise-peer-urls": this.peerUrl(name),
            "listen-client-urls": clientUrl,
            "advertise-client-urls": clientUrl,
            "initial-cluster": all.map((one) => `${one}=${this.peerUrl(one)}`).join(","),
            "initial-cluster-state": state,
            "max-learners": "2",
        };
        const command = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
        await this.host(name).writeFile(
            "/etc/systemd/system/hand.service",
            `[Service]\nType=notify\nTimeoutStartSec=60\nExecStart=/opt/hand/etcd ${command.join(" ")}\n`,
        );
        await this.host(name).output("systemctl daemon-reload");
    }
}

async function retry<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + STEP_SECONDS * 1000;
    for (;;) {
        try {
            return await attempt();
        } catch (error) {
            if (performance.now() > deadline)
                throw new Error(`${what} did not succeed within ${STEP_SECONDS} s`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
}
