import assert from "node:assert/strict";

import type { EtcdClusterArgs, EtcdHostArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import type { LabHost } from "../../lab";
import { etcdctl, eventually, openBed, startTimes, type Bed, type Status } from "./fixture";
import { diagnosticsOf } from "./diagnostics";
import { hasPrinted, step, told } from "./moments";
import { Project } from "./project";
import { watchHosts } from "./untouched";

const cluster = "moved";
const all = ["a", "b", "c"];

interface Listed {
    readonly id: string;
    readonly name: string;
    readonly peerUrl: string;
}

describe("a cluster of three whose hosts get other names, ports and addresses", () => {
    let bed: Bed;
    let project: Project;
    /** By the lab's name of the machine: what is declared of it now. */
    let hosts: Record<string, EtcdHostArgs>;
    let clientPort = 2379;
    let identities: Readonly<Record<string, string>>;

    function declared(changes: Partial<EtcdClusterArgs> = {}): Record<string, EtcdClusterArgs> {
        const args = bed.declare(3, changes);
        const names = Object.entries(hosts).map(([machine, { name }]) => [name, bed.lab.host(machine).publicHostKey]);
        const ssh = { ...args.ssh, hostKeys: Object.fromEntries(names) as Record<string, string> };
        return { [cluster]: { ...args, hosts: Object.values(hosts), ssh } };
    }

    const ask = (machine: string, command: string): Promise<string> => {
        const host = bed.lab.host(machine);
        const { address } = hosts[machine]!;
        const on = { output: (text: string) => host.output(text), address } as unknown as typeof host;
        return etcdctl(on, cluster, command, clientPort);
    };

    async function list(): Promise<readonly Listed[]> {
        const text = await ask("a", "member list --write-out fields");
        const values = (field: string): readonly string[] =>
            [...text.matchAll(new RegExp(`^"${field}" : "?([^"\\n]*)"?$`, "gm"))].map((match) => match[1]!);
        const [ids, names, urls] = [values("ID"), values("Name"), values("PeerURL")];
        return ids.map((id, index) => ({ id, name: names[index]!, peerUrl: urls[index]! }));
    }

    /** Each machine has the member that it had, as declared, with the data; and nothing is left to do. */
    async function assertConverged(changes: Partial<EtcdClusterArgs> = {}): Promise<void> {
        const members = await list();
        assert.equal(members.length, 3);
        for (const machine of all) {
            const { name, address, peerPort = changes.peerPort ?? 2380 } = hosts[machine]!;
            const member = members.find((one) => one.name === name);
            assert.deepEqual(member, { id: identities[machine], name, peerUrl: `https://${address}:${peerPort}` });
            assert.match(await ask(machine, "get greeting"), /hello/);
            const peers = await bed.lab.host(machine).output(`nft list set inet etcd_${cluster} peers4`);
            const elements = /elements = \{([^}]*)\}/
                .exec(peers)![1]!
                .split(",")
                .map((word) => word.trim());
            assert.deepEqual(
                elements.sort(),
                Object.values(hosts)
                    .map((host) => host.address)
                    .sort(),
            );
        }
        await ask("b", "put still writable");
        const before = await startTimes(bed.lab, all, cluster);
        const again = await project.up(declared(changes), "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
    }

    /** The kinds of steps that were taken, and for whom. */
    function steps(text: string): readonly string[] {
        return told(text, cluster).flatMap((line) => {
            const [, what, who] =
                /^\d+\/\d+ (change the peer URL|restart|move the lead|add|remove|stop).*?"([^"]+)"/.exec(line) ?? [];
            return what === undefined ? [] : [`${what} ${who}`];
        });
    }

    before(async () => {
        bed = await openBed("ch-readdress", "10.104.1", 3);
        project = await Project.open();
        hosts = Object.fromEntries(bed.declare(3).hosts.map((host) => [host.name, host]));
        await project.mustUp(declared());
        await ask("a", "put greeting hello");
        identities = Object.fromEntries((await list()).map(({ name, id }) => [name, id]));
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    it("restarts a host that is renamed, alone, and keeps its member", async () => {
        const others = await startTimes(bed.lab, ["a", "b"], cluster);
        hosts = { ...hosts, c: { ...hosts["c"]!, name: "z" } };
        const preview = await project.preview(declared());
        assert.match(preview.text, /plan \d+\/\d+: restart "z"/);
        const run = await project.mustUp(declared());
        assert.deepEqual(
            steps(run.text).filter((one) => !one.startsWith("move")),
            ["restart z"],
        );
        assert.deepEqual(await startTimes(bed.lab, ["a", "b"], cluster), others);
        await assertConverged();
    });

    it("restarts two hosts that swap their names, one after the other, and each keeps its member", async () => {
        const swap = (): void => {
            const [a, b] = [hosts["a"]!, hosts["b"]!];
            hosts = { ...hosts, a: { ...a, name: b.name }, b: { ...b, name: a.name } };
        };
        for (let time = 1; time <= 2; time += 1) {
            const [third] = await startTimes(bed.lab, ["c"], cluster);
            swap();
            const run = await project.mustUp(declared());
            const taken = steps(run.text).filter((one) => !one.startsWith("move"));
            assert.deepEqual([...taken].sort(), ["restart a", "restart b"]);
            assert.deepEqual(await startTimes(bed.lab, ["c"], cluster), [third]);
            await assertConverged();
        }
    });

    it("moves to another peer port one member at a time: the list first, then the restart", async () => {
        const run = await project.mustUp(declared({ peerPort: 2390 }));
        const moves = steps(run.text).filter((one) => !one.startsWith("move"));
        assert.equal(moves.length, 6, moves.join());
        for (const index of [0, 2, 4]) {
            const name = /^change the peer URL (\S+)$/.exec(moves[index]!)?.[1];
            assert.equal(moves[index + 1], `restart ${name}`);
        }
        hosts = Object.fromEntries(Object.entries(hosts).map(([key, host]) => [key, { ...host, peerPort: 2390 }]));
        await assertConverged();
    });

    it("moves to another client port by a rolling restart, and shows the new endpoints", async () => {
        const run = await project.mustUp(declared({ clientPort: 2479 }));
        clientPort = 2479;
        assert.equal(steps(run.text).filter((one) => one.startsWith("restart")).length, 3);
        assert.doesNotMatch(run.text, /change the peer URL|remove member/);
        const outputs = (await project.outputs())[cluster]!;
        assert.deepEqual(
            outputs.endpoints,
            all.map((machine) => `https://${hosts[machine]!.address}:2479`),
        );
        hosts = Object.fromEntries(Object.entries(hosts).map(([key, host]) => [key, { ...host, clientPort: 2479 }]));
        await assertConverged();
    });

    it("changes the address of a host that has both, with its data and without asking for more than one restart", async () => {
        await bed.lab.addAddress("b", "10.104.2.12");
        hosts = { ...hosts, b: { ...hosts["b"]!, address: "10.104.2.12" } };
        const preview = await project.preview(declared());
        assert.match(
            preview.text,
            /change the peer URL of member "b" \(\w+\) from https:\/\/10\.104\.1\.12:2390 to https:\/\/10\.104\.2\.12:2390/,
        );
        const run = await project.mustUp(declared());
        assert.deepEqual(
            steps(run.text).filter((one) => !one.startsWith("move")),
            ["change the peer URL b", "restart b"],
        );
        assert.doesNotMatch(run.text, /could not be cleared/);
        await assertConverged();
        await bed.lab.readdress("b", "10.104.2.12");
        await assertConverged();
    });

    it("changes the address of a host that has lost the old one already", async () => {
        await bed.lab.readdress("a", "10.104.1.31");
        hosts = { ...hosts, a: { ...hosts["a"]!, address: "10.104.1.31" } };
        const run = await project.mustUp(declared());
        assert.deepEqual(steps(run.text), ["change the peer URL a", "restart a"]);
        assert.doesNotMatch(run.text, /could not be cleared/);
        await assertConverged();
    });

    it("refuses two addresses that change at once, before it changes anything", async () => {
        await bed.lab.addAddress("a", "10.104.1.41");
        await bed.lab.addAddress("b", "10.104.1.42");
        const before = hosts;
        hosts = {
            ...hosts,
            a: { ...hosts["a"]!, address: "10.104.1.41" },
            b: { ...hosts["b"]!, address: "10.104.1.42" },
        };
        const assertUntouched = await watchHosts(bed.lab);
        const preview = await project.preview(declared());
        const wanted =
            /up will stop here: 2 members change their addresses at once: "a" \(10\.104\.1\.31 to 10\.104\.1\.41\), "b" \(10\.104\.2\.12 to 10\.104\.1\.42\), .*change one, run pulumi up, then the next/;
        assert.ok(
            diagnosticsOf(preview).some((line) => wanted.test(line)),
            preview.text,
        );
        const run = await project.up(declared());
        assert.notEqual(run.code, 0);
        assert.match(run.text, /change one, run pulumi up, then the next/);
        await assertUntouched();
        // Certificates for the new addresses are in the state by now, and on no host: those for the old ones are made again.
        hosts = before;
        const started = await startTimes(bed.lab, all, cluster);
        await project.mustUp(declared());
        assert.deepEqual(await startTimes(bed.lab, all, cluster), started);
        await assertConverged();
    });

    it("goes on where it was killed, after each step of a change of address", async () => {
        hosts = { ...hosts, a: { ...hosts["a"]!, address: "10.104.1.41" } };
        let kills = 0;
        for (let isReached = true; isReached;) {
            const running = project.startUp(declared());
            isReached = await hasPrinted(running, step(cluster, 1));
            running.kill();
            await running.finished;
            if (isReached) kills += 1;
            await project.cancel();
        }
        assert.ok(kills >= 4, `it was killed ${kills} times`);
        await project.mustUp(declared());
        await assertConverged();
    });

    it("brings back a member that was restarted while the leader was between two addresses, and did not hear it", async () => {
        const before = hosts["a"]!.address;
        await bed.lab.addAddress("a", "10.104.1.51");
        hosts = { ...hosts, a: { ...hosts["a"]!, address: "10.104.1.51" } };
        const running = project.startUp(declared());
        await hasPrinted(running, step(cluster, 1));
        running.kill();
        await running.finished;
        await project.cancel();
        // Its certificate is for where it will be.
        const onA = { ...bed.lab.host("a"), address: before, output: (text: string) => bed.lab.host("a").output(text) };
        const askA = (command: string): Promise<string> =>
            etcdctl(onA as unknown as LabHost, cluster, `--insecure-skip-tls-verify ${command}`, clientPort);
        const leads = async (name: string): Promise<boolean> => {
            const status = "endpoint status --write-out json";
            const text = await (name === "a" ? askA(status) : ask(name, status));
            const [{ Status }] = JSON.parse(text) as readonly [{ readonly Status: Status }];
            return Status.leader === Status.header.member_id;
        };
        for (const name of ["b", "c"])
            if (await leads(name)) await ask(name, `move-leader ${BigInt(identities["a"]!).toString(16)}`);
        await eventually("a leads", 30, async () => assert.ok(await leads("a")));
        const unit = `etcd-${cluster}`;
        await bed.lab.host("c").output(`systemctl restart --no-block ${unit}`);
        const isReady = (): Promise<string> => bed.lab.host("c").output(`systemctl is-active ${unit}; true`);
        await eventually("c is stopped", 30, async () => assert.notEqual((await isReady()).trim(), "active"));
        for (let second = 0; second < 10; second += 1) {
            await new Promise((resolve) => setTimeout(resolve, 1000));
            assert.equal((await isReady()).trim(), "activating");
        }
        const run = await project.mustUp(declared());
        assert.match(run.text, /move the lead from "a" to "b"/);
        await assertConverged();
    });

    it("refuses to have a member twice, on its machine and on a copy of its disk", async () => {
        await ask("c", "put greeting hello");
        const text = await bed.lab.host("c").output(`cat /etc/etcd/${cluster}/identity`);
        await bed.lab
            .host("b")
            .output(`cp /etc/etcd/${cluster}/identity /root/identity; systemctl stop etcd-${cluster}`);
        await bed.lab.host("b").writeFile(`/etc/etcd/${cluster}/identity`, text);
        const run = await project.up(declared());
        assert.notEqual(run.code, 0);
        assert.match(run.text, /hosts "\w" \(\S+\) and "\w" \(\S+\) both hold the data of member \w+/);
        await bed.lab.host("b").output(`cp /root/identity /etc/etcd/${cluster}/identity`);
        await project.mustUp(declared());
        await eventually("b is back", 60, async () => {
            assert.match(await ask("b", "get greeting"), /hello/);
        });
    });
});

describe("a cluster of one whose host gets another address", () => {
    let bed: Bed;
    let project: Project;

    before(async () => {
        bed = await openBed("ch-readdress", "10.104.1", 2);
        project = await Project.open();
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    it("comes back there with its data, though the old address is gone and nobody else has a quorum", async () => {
        const declared = (address: string) => {
            const args = bed.declare(1);
            return { [cluster]: { ...args, hosts: [{ ...args.hosts[0]!, address }] } };
        };
        await project.mustUp(declared("10.104.1.11"));
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");
        const before = (await project.outputs())[cluster]!.members[0]!.id;
        await bed.lab.readdress("a", "10.104.1.21");
        await project.mustUp(declared("10.104.1.21"));
        assert.match(await etcdctl(bed.lab.host("a"), cluster, "get greeting"), /hello/);
        const [member] = (await project.outputs())[cluster]!.members;
        assert.deepEqual([member!.id, member!.peerUrl], [before, "https://10.104.1.21:2380"]);
        assert.match(await etcdctl(bed.lab.host("a"), cluster, "member list"), /https:\/\/10\.104\.1\.21:2380/);
        const again = await project.up(declared("10.104.1.21"), "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
    });

    it("is listed where it serves, which somebody had changed, before the host joins that replaces it", async () => {
        const [a, b] = ["a", "b"].map((name) => bed.lab.host(name));
        const { id } = (await project.outputs())[cluster]!.members[0]!;
        await etcdctl(a!, cluster, `member update ${id} --peer-urls https://10.104.1.21:2390`);
        const args = bed.declare(2);
        const run = await project.mustUp({ [cluster]: { ...args, hosts: args.hosts.slice(1) } });
        const order = [/ change the peer URL of member "a" .* to https:\/\/10\.104\.1\.21:2380/, / add "b"/].map(
            (step) => told(run.text, cluster).findIndex((line) => step.test(line)),
        );
        assert.ok(order[0]! >= 0 && order[0]! < order[1]!, run.text);
        assert.match(await etcdctl(b!, cluster, "get greeting"), /hello/);
        assert.equal(await a!.output("ls -d /etc/etcd; pgrep -a etcd; true"), "");
    });
});
