import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import type { EtcdCredentials } from "../../components/remote/etcdAccess";
import { addressTowards, Workload, workloadClient } from "../faults/workload/workload";
import { assertNothingLost, endAfterEach } from "./clients";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import {
    Authority,
    declareBoth,
    foundIn,
    layCertificates,
    names,
    onEach,
    ports,
    settings,
    startBoth,
    units,
    type Name,
} from "./handMade";
import { hasPrinted, step, told } from "./moments";
import { Project } from "./project";

const all = ["a", "b", "c"];

describe("a cluster that was set up by hand, with TLS", () => {
    let bed: Bed;
    let project: Project;
    let authority: Authority;
    let client: EtcdCredentials;
    /** What every declaration of the two has. */
    let always: Partial<EtcdClusterArgs>;
    const forThisTest = endAfterEach();

    function declared(changes: Partial<EtcdClusterArgs> = { adopt: true }): Record<Name, EtcdClusterArgs> {
        return declareBoth(bed, { ...always, ...changes });
    }

    const onHosts = (command: string): Promise<readonly string[]> => onEach(bed.lab.hosts, command);

    before(async () => {
        bed = await openBed("ad-hand", "10.105.2", 3);
        project = await Project.open();
        authority = await Authority.make();
        const here = await addressTowards(bed.lab.host("a").address);
        always = { clients: [workloadClient(here)], tuning: { quotaBackendBytes: 4294967296 } };
        for (const host of bed.lab.hosts) await layCertificates(host, await authority.issue(host.name, host.address));
        await startBoth(bed.lab.hosts, settings);
        client = await authority.issue("somebody");
    });

    after(async () => {
        project?.close();
        await authority?.remove();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    async function startClients(name: Name): Promise<Workload> {
        const endpoints = all.map((host) => `https://${bed.lab.host(host).address}:${ports[name]}`);
        return forThisTest(Workload.start(endpoints, client, { phase: "take-over" }));
    }

    /** Of what was set up by hand: when it was started, and where its data is. */
    const byHand = (): Promise<readonly string[]> =>
        onHosts(
            `systemctl show --property MainPID,ActiveState,UnitFileState ${units.packaged} ${units.released}; ls -d ${foundIn.packaged}/member ${foundIn.released}/member; find /etc/systemd/system -name '*.conf' | sort`,
        );

    it("is left alone when what is declared is not what is there, and all of that is said at once", async () => {
        const before = await byHand();
        const workload = await startClients("released");
        const wrong = declared({ adopt: true, clients: [], tuning: { snapshotCount: 5000 } });
        const hosts = wrong.packaged.hosts.map((host) => (host.name === "a" ? { ...host, name: "z" } : host));
        const ssh = { ...wrong.packaged.ssh, knownHosts: "" };
        const named = { ...ssh, hostKeys: { ...ssh.hostKeys, z: bed.lab.host("a").publicHostKey } };
        // One cluster after the other: the engine begins with nothing more once something has failed.
        const packaged = await project.up({ packaged: { ...wrong.packaged, hosts, ssh: named } });
        assert.notEqual(packaged.code, 0);
        assert.match(packaged.text, /etcd\.service runs a member named "a", declared is "z"/);
        const released = await project.up({ released: wrong.released });
        assert.notEqual(released.code, 0);
        assert.match(released.text, /my-etcd\.service runs with quota-backend-bytes 4294967296, declared is none/);
        assert.match(released.text, /is connected to its client port, and is no declared client/);
        await assertNothingLost(workload);
        assert.deepEqual(await byHand(), before);
    });

    it("is run again by its own unit when ours does not come up", async () => {
        const before = await onHosts(`ls ${foundIn.packaged}/member ${foundIn.released}/member`);
        for (const name of names)
            await onHosts(
                `mkdir -p /etc/systemd/system/etcd-${name}.service.d && printf '[Service]\\nExecStartPre=/bin/false\\n' > /etc/systemd/system/etcd-${name}.service.d/bad.conf`,
            );
        // What a destroy that comes next is told of the data.
        const run = await project.up(
            declared({ adopt: true, deleteDataOnDestroy: true, timeouts: { healthSeconds: 20 } }),
        );
        assert.notEqual(run.code, 0);
        for (const name of names) assert.ok(run.text.includes(`${units[name]} runs again as before`), run.text);
        assert.deepEqual(
            await onHosts(`systemctl is-active ${units.packaged} ${units.released} | sort -u`),
            all.map(() => "active"),
        );
        assert.deepEqual(await onHosts(`ls ${foundIn.packaged}/member ${foundIn.released}/member`), before);
        for (const name of names) await onHosts(`rm -r /etc/systemd/system/etcd-${name}.service.d`);
        await onHosts("systemctl daemon-reload");
    });

    it("shows its take-over in a preview: a step for each member, the leader last and moved first", async () => {
        const { text, code } = await project.preview(declared());
        assert.equal(code, 0, text);
        for (const name of names) {
            const steps = told(text, name).filter((line) => /^plan \d+\/\d+: /.test(line));
            const kinds = steps.flatMap((line) => /take over|move the lead/.exec(line) ?? []);
            assert.deepEqual(kinds, ["take over", "take over", "move the lead", "take over"], steps.join("\n"));
        }
    });

    it("is left running, with its data, by a destroy before it is taken over", async () => {
        const running = (): Promise<readonly string[]> =>
            onHosts(
                `systemctl show --property MainPID,ActiveState,UnitFileState ${units.packaged} ${units.released}; ls -d ${foundIn.packaged}/member ${foundIn.released}/member`,
            );
        const before = await running();
        // As on a host that was taken over and put back by hand.
        for (const name of names)
            await bed.lab.host("a").output(`cd /etc/etcd/${name}; rm -f takeover; touch identity; ls identity`);
        const clients = await Promise.all(names.map(startClients));
        const end = await project.destroy();
        assert.equal(end.code, 0, end.text);
        assert.match(end.text, /"a": left where it is: \S+, which process \d+ \(etcd\) works on/);
        for (const workload of clients) await assertNothingLost(workload);
        assert.deepEqual(await running(), before);
        assert.deepEqual(
            await onHosts("ls /etc/etcd 2>/dev/null || true"),
            all.map(() => ""),
        );
    });

    /**
     * Takes over one cluster until an old unit was told to stop, which it never comes to the end of; there the host and the run die.
     * @returns the host, which has booted again
     */
    async function powerCutWhileStopping(): Promise<string> {
        // Gone with the next boot.
        await onHosts(
            `mkdir -p /run/systemd/system/etcd.service.d && printf '[Service]\\nExecStopPost=/bin/sh -c "touch /run/stopping; sleep infinity"\\n' > /run/systemd/system/etcd.service.d/hang.conf && systemctl daemon-reload`,
        );
        const { packaged } = declared();
        const running = project.startUp({ packaged });
        let stopping = "";
        await eventually("an old unit stops", 120, async () => {
            const found = await onHosts("ls /run/stopping 2>/dev/null || true");
            stopping = all.find((_, index) => found[index] !== "") ?? "";
            assert.notEqual(stopping, "", running.printed());
        });
        running.kill();
        await running.finished;
        await project.cancel();
        const host = bed.lab.host(stopping);
        await host.kill();
        await host.start();
        await onHosts("rm -rf /run/systemd/system/etcd.service.d && systemctl daemon-reload");
        assert.equal(
            (await host.output("systemctl is-active etcd.service etcd-packaged.service || true")).trim(),
            "inactive\ninactive",
        );
        return stopping;
    }

    it("is taken over one host at a time by runs and a host that die, and loses no write", async () => {
        const clients = await Promise.all(names.map(startClients));
        const cut = await powerCutWhileStopping();
        console.log(`      "${cut}" lost its power while its old unit stopped`);
        const first = project.startUp(declared());
        await hasPrinted(first, step("released", 1));
        first.kill();
        await first.finished;
        await project.cancel();
        await project.mustUp(declared());
        for (const workload of clients) await assertNothingLost(workload);
        for (const name of names) assert.deepEqual(await voters(bed.lab.host("a"), name, ports[name]), all);
        // The old units neither run nor can be started, and where the data was moved there is none left.
        const dead = all.map(() => "inactive");
        assert.deepEqual(
            await onHosts(
                `systemctl start ${units.packaged} ${units.released}; systemctl is-active ${units.packaged} ${units.released} | sort -u`,
            ),
            dead,
        );
        assert.deepEqual(
            await onHosts(`test -d /var/lib/etcd/released/member && ! test -e ${foundIn.released} && echo moved`),
            all.map(() => "moved"),
        );
    });

    it("comes back with our units alone after a reboot", async () => {
        const host = bed.lab.host("b");
        await host.reboot();
        await eventually("members of both clusters on b", 90, async () => {
            for (const name of names) await etcdctl(host, name, "endpoint health", ports[name]);
        });
        assert.equal((await host.output("pgrep -xc etcd")).trim(), "2");
    });

    it("is not this stack's alone while the last take-over was cut off, though adopt is taken away", async () => {
        const host = bed.lab.host("b");
        const id = (await etcdctl(host, "packaged", "member list", ports.packaged)).match(/(\w+), started, b,/)?.[1];
        const note = "/etc/etcd/packaged/takeover";
        // As a host that lost its power then has it.
        await host.output(
            `systemctl stop etcd-packaged; printf 'unit=etcd.service\ndata=/var/lib/etcd/packaged\n' >${note}`,
        );
        const run = await project.up(declared({}));
        assert.notEqual(run.code, 0);
        assert.match(run.text, /host "b" \(.*set adopt: true again, run pulumi up, and take it away then/);
        await project.mustUp(declared());
        const list = await etcdctl(host, "packaged", "member list", ports.packaged);
        assert.ok(id !== undefined && list.includes(`${id}, started, b,`), list);
        assert.equal((await host.run(`test -e ${note}`)).code, 1);
    });

    it("is this stack's alone when adopt is taken away, and left alone after that", async () => {
        await project.mustUp(declared({}));
        for (const name of names) {
            assert.deepEqual(
                await onHosts(`grep -c BEGIN /etc/etcd/${name}/current/peer-ca.crt`),
                all.map(() => "1"),
            );
            assert.deepEqual(await voters(bed.lab.host("c"), name, ports[name]), all);
        }
        const started = await Promise.all(names.map((name) => startTimes(bed.lab, all, name)));
        const again = await project.mustUp(declared({}));
        assert.doesNotMatch(again.text, /\] \d+\/\d+ /);
        assert.deepEqual(await Promise.all(names.map((name) => startTimes(bed.lab, all, name))), started);
    });
});
