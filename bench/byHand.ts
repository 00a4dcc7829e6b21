/** The same changes with nothing but etcd, systemd and etcdctl on bare hosts, without TLS: what etcd itself takes for them. */
import { readFile } from "node:fs/promises";

import type { LabHost } from "../lab";
import { releaseArchive } from "../lab/release";
import type { Bed } from "../tests/integration/fixture";

const STEP_SECONDS = 60;
/** Between two tries of what etcd refuses for now. */
const PAUSE_MS = 20;
/** Who may join side by side; etcd by itself takes one. */
const MAX_LEARNERS = 2;

/** Where a member is, or is to be, and what it is called. */
interface Place {
    readonly name: string;
    readonly address: string;
    readonly peerPort: number;
}

/** As etcdctl lists a member. */
interface Listed {
    readonly ID: string;
    readonly name?: string;
    readonly peerURLs: readonly string[];
    readonly isLearner?: boolean;
}

/** All hosts go by the lab's names. */
export class ByHand {
    /** Who is a member now. */
    members: readonly string[] = [];
    private peerPort = 2380;
    /** Of members that are not where a new one would be, or are called otherwise. */
    private readonly places = new Map<string, Place>();

    constructor(private readonly bed: Bed) {}

    async install(hosts: readonly string[]): Promise<void> {
        const archive = await readFile((await releaseArchive("3.6")).path);
        for (const host of hosts)
            await this.host(host).output("mkdir -p /opt/hand && tar -xz -C /opt/hand --strip-components 1", {
                stdin: archive,
            });
    }

    async bootstrap(host: string): Promise<void> {
        await this.writeUnit(host, [host], "new");
        await this.host(host).output("systemctl start hand");
        this.members = [host];
    }

    endpoints(hosts = this.members): readonly string[] {
        return hosts.map((host) => this.clientUrl(host));
    }

    /** The end is when each of them answers its clients, which may come seconds after it votes. */
    async add(hosts: readonly string[]): Promise<void> {
        for (let first = 0; first < hosts.length; first += MAX_LEARNERS)
            await this.admit(hosts.slice(first, first + MAX_LEARNERS));
        for (const host of hosts) await this.awaitHealth(host);
    }

    /** @param leader hands over first if it is one of them */
    async remove(hosts: readonly string[], leader?: string): Promise<void> {
        const staying = this.members.find((host) => !hosts.includes(host));
        if (leader !== undefined && hosts.includes(leader)) await this.moveLeader(staying!);
        for (const host of hosts) {
            const id = await this.id(host);
            this.members = this.members.filter((other) => other !== host);
            await this.etcdctl(`member remove ${id}`);
            this.places.delete(host);
            if (this.host(host).isRunning()) await this.host(host).output("systemctl stop hand; rm -rf /var/lib/hand");
        }
    }

    async restartAll(): Promise<void> {
        await this.rolling((host) => this.restart(host));
    }

    /** A member tells the others what it is called when it starts. */
    async rename(host: string, name: string): Promise<void> {
        await this.restartAs(host, { ...this.place(host), name });
    }

    async movePeerPort(peerPort: number): Promise<void> {
        await this.rolling((host) => this.move(host, { ...this.place(host), peerPort }));
        this.peerPort = peerPort;
    }

    async moveAddress(host: string, address: string): Promise<void> {
        await this.move(host, { ...this.place(host), address });
    }

    async leader(): Promise<string> {
        return retry("finding the leader", async () => {
            const asked = this.running();
            const answers = await Promise.all(asked.map((host) => this.leads(host).catch(() => false)));
            const found = asked.find((_, index) => answers[index]);
            if (found === undefined) throw new Error(`none of ${asked.join(", ")} leads`);
            return found;
        });
    }

    /** @throws when etcd lists other voters than there should be, other names or peer URLs */
    async assertMembers(): Promise<void> {
        const wanted = this.members.map((host) => `${this.place(host).name} ${this.peerUrl(host)}`);
        const listed = (await this.list()).map(
            ({ name, peerURLs, isLearner }) => `${name} ${peerURLs.join()}${isLearner ? " (learner)" : ""}`,
        );
        if (listed.sort().join("; ") !== wanted.sort().join("; "))
            throw new Error(`etcd lists ${listed.join("; ")}, and ${wanted.join("; ")} was wanted`);
    }

    /** All learners are added first, then started, each when the one before answers at its peer port, then promoted. */
    private async admit(hosts: readonly string[]): Promise<void> {
        for (const host of hosts)
            await this.etcdctl(`member add ${this.place(host).name} --learner --peer-urls ${this.peerUrl(host)}`);
        const all = [...this.members, ...hosts];
        for (const host of hosts) {
            await this.writeUnit(host, all, "existing");
            await this.host(host).output("systemctl start --no-block hand");
            await retry(`${host} answers`, async () => void (await fetch(`${this.peerUrl(host)}/version`)));
        }
        for (const host of hosts) {
            await this.etcdctl(`member promote ${await this.id(host)}`);
            this.members = [...this.members, host];
        }
    }

    /** The list first, so that the others call the member where it will be; then the member itself. */
    private async move(host: string, place: Place): Promise<void> {
        await this.etcdctl(`member update ${await this.id(host)} --peer-urls ${peerUrlAt(place)}`);
        await this.restartAs(host, place);
    }

    private async restartAs(host: string, place: Place): Promise<void> {
        this.places.set(host, place);
        await this.writeUnit(host, this.members, "existing");
        await this.restart(host);
    }

    /** Followers first, each when the one before is healthy again. */
    private async rolling(act: (host: string) => Promise<void>): Promise<void> {
        const leader = await this.leader();
        const followers = this.members.filter((host) => host !== leader);
        for (const host of followers) await act(host);
        await this.moveLeader(followers[0]!);
        await act(leader);
    }

    /** `systemctl restart` ends when etcd says that it is ready. */
    private async restart(host: string): Promise<void> {
        await this.host(host).output("systemctl restart hand");
        await this.awaitHealth(host);
    }

    private async awaitHealth(host: string): Promise<void> {
        await retry(`${host} is healthy`, () => this.tell([host], "endpoint health"));
    }

    private async moveLeader(to: string): Promise<void> {
        await this.etcdctl(`move-leader ${await this.id(to)}`);
    }

    private async leads(host: string): Promise<boolean> {
        const text = await this.tell([host], "endpoint status --write-out json");
        const [line] = JSON.parse(text) as { Status: { leader: number; header: { member_id: number } } }[];
        return line !== undefined && line.Status.leader === line.Status.header.member_id;
    }

    private running(): readonly string[] {
        return this.members.filter((host) => this.host(host).isRunning());
    }

    private host(name: string): LabHost {
        return this.bed.lab.host(name);
    }

    private place(host: string): Place {
        const { name, address } = this.host(host);
        return this.places.get(host) ?? { name, address, peerPort: this.peerPort };
    }

    private peerUrl(host: string): string {
        return peerUrlAt(this.place(host));
    }

    private clientUrl(host: string): string {
        return `http://${this.place(host).address}:2379`;
    }

    private async id(host: string): Promise<string> {
        const member = (await this.list()).find(({ peerURLs }) => peerURLs.includes(this.peerUrl(host)));
        if (!member) throw new Error(`"${host}" is no member`);
        return member.ID;
    }

    private async list(): Promise<readonly Listed[]> {
        const text = await this.etcdctl("member list --hex --write-out json");
        return (JSON.parse(text) as { members: readonly Listed[] }).members;
    }

    /** Again and again while etcd refuses, as somebody at a terminal would. */
    private etcdctl(command: string): Promise<string> {
        return retry(`etcdctl ${command}`, () => this.tell(this.running(), command));
    }

    private tell(hosts: readonly string[], command: string): Promise<string> {
        const endpoints = this.endpoints(hosts).join(",");
        return this.host(hosts[0]!).output(
            `/opt/hand/etcdctl --endpoints ${endpoints} --command-timeout 5s ${command}`,
        );
    }

    private async writeUnit(host: string, all: readonly string[], state: "new" | "existing"): Promise<void> {
        const flags = {
            name: this.place(host).name,
            "data-dir": "/var/lib/hand",
            "listen-peer-urls": this.peerUrl(host),
            "initial-advertise-peer-urls": this.peerUrl(host),
            "listen-client-urls": this.clientUrl(host),
            "advertise-client-urls": this.clientUrl(host),
            "initial-cluster": all.map((one) => `${this.place(one).name}=${this.peerUrl(one)}`).join(","),
            "initial-cluster-state": state,
            "max-learners": String(MAX_LEARNERS),
            // Else a host with two addresses calls from the one that it is about to lose, and its peers answer into the void.
            "feature-gates": "SetMemberLocalAddr=true",
        };
        const command = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
        await this.host(host).writeFile(
            "/etc/systemd/system/hand.service",
            `[Service]\nType=notify\nTimeoutStartSec=60\nExecStart=/opt/hand/etcd ${command.join(" ")}\n`,
        );
        await this.host(host).output("systemctl daemon-reload");
    }
}

function peerUrlAt({ address, peerPort }: Place): string {
    return `http://${address}:${peerPort}`;
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
