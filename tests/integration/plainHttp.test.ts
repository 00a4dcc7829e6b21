import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { addressTowards, startWorkload, Workload, workloadClient } from "../faults/workload/workload";
import { assertNothingLost, endAfterEach } from "./clients";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { declareBoth, names, onEach, plainSettings, ports, startBoth, type Name } from "./handMade";
import { hasPrinted, told } from "./moments";
import { Project } from "./project";

const all = ["a", "b", "c"];

describe("a cluster that was set up by hand, without TLS", () => {
    let bed: Bed;
    let project: Project;
    /** What every declaration of the two has. */
    let always: Partial<EtcdClusterArgs>;
    const forThisTest = endAfterEach();

    function declared(changes: Partial<EtcdClusterArgs> = { adopt: true }): Record<Name, EtcdClusterArgs> {
        return declareBoth(bed, { ...always, ...changes });
    }

    const onHosts = (command: string): Promise<readonly string[]> => onEach(bed.lab.hosts, command);

    before(async () => {
        bed = await openBed("ad-plain", "10.111.1", 3);
        project = await Project.open();
        const here = await addressTowards(bed.lab.host("a").address);
        always = { clients: [workloadClient(here)] };
        await startBoth(bed.lab.hosts, plainSettings);
        await bed.lab.host("a").output(`${plainEtcdctl("a", "packaged")} put greeting hello`);
        await bed.lab.host("a").output(`${plainEtcdctl("a", "released")} put greeting hello`);
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    function plainEtcdctl(host: string, name: Name): string {
        const { address } = bed.lab.host(host);
        return `ETCDCTL_API=3 etcdctl --command-timeout 3s --endpoints http://${address}:${ports[name]}`;
    }

    function withoutCertificate(host: string, name: Name): string {
        return `${plainEtcdctl(host, name).replace("http:", "https:")} --cacert /etc/etcd/${name}/current/client-ca.crt`;
    }

    /** Clients of old: they know of no certificates. */
    async function startPlainClients(name: Name): Promise<Workload> {
        const endpoints = all.map((host) => `http://${bed.lab.host(host).address}:${ports[name]}`);
        return forThisTest(Workload.start(endpoints, undefined, { phase: `${name}, hosts are prepared` }));
    }

    async function peerUrls(name: Name): Promise<readonly string[]> {
        const list = await bed.lab.host("a").output(`${plainEtcdctl("a", name)} member list`);
        return [...list.matchAll(/(https?):\/\/[0-9.]+:(?:2380|3380)/g)].map(([, scheme]) => scheme!);
    }

    it("is refused, and left alone, when one member has TLS and the others have none", async () => {
        await bed.lab
            .host("b")
            .output(
                "cp /etc/default/etcd /root/etcd && echo 'ETCD_CERT_FILE=/etc/hostname' >> /etc/default/etcd && systemctl restart etcd",
            );
        const run = await project.up({ packaged: declared().packaged });
        assert.notEqual(run.code, 0);
        assert.match(run.text, /host "b" .*only a cluster with TLS .* or with none at all, is taken over/);
        await bed.lab.host("b").output("cp /root/etcd /etc/default/etcd && systemctl restart etcd");
    });

    it("has two rolls shown in a preview: units first, then TLS between members, and a warning of what stays open", async () => {
        const { text, code } = await project.preview(declared());
        assert.equal(code, 0, text);
        for (const name of names) {
            const steps = told(text, name).filter((line) => /^plan \d+\/\d+: /.test(line));
            const kinds = steps.flatMap(
                (line) => /take over|change the peer URL|with TLS on its peer port/.exec(line) ?? [],
            );
            const exchange = ["change the peer URL", "with TLS on its peer port"];
            const three = <T>(of: readonly T[]): readonly T[] => [...of, ...of, ...of];
            assert.deepEqual(kinds, [...three(["take over"]), ...three(exchange)], steps.join("\n"));
        }
        assert.match(text, /the client port is open without TLS and without certificates/);
    });

    it("is taken over by runs that are killed before and after members call each other with TLS, and loses no write", async () => {
        const clients = await Promise.all(names.map(startPlainClients));
        // One of the two clusters is cut off before its first member is restarted with TLS, the other one wherever it is then.
        for (const [name, moment] of [
            ["packaged", /\[packaged\] \d+\/\d+ change the peer URL/],
            ["released", /\[released\] \d+\/\d+ restart "." with TLS on its peer port/],
        ] as const) {
            const running = project.startUp(declared());
            if (name === "packaged") {
                // Before that, all hosts are given binaries and files at once, on the disk of this one machine.
                await hasPrinted(running, /\] 1\/\d+ /);
                for (const [index, workload] of clients.entries())
                    await workload.phase(`${names[index]}, members change`);
            }
            assert.ok(await hasPrinted(running, moment), running.printed());
            running.kill();
            await running.finished;
            await project.cancel();
            console.log(`      killed after ${told(running.printed(), name).at(-1)}`);
        }
        const hasty = await project.up({ ...declared(), released: declared({}).released });
        assert.notEqual(hasty.code, 0);
        assert.match(
            hasty.text,
            /has no TLS on its peer port, since a run that took the cluster over has not come to its end/,
        );
        await project.mustUp(declared());
        for (const workload of clients) await assertNothingLost(workload);
        for (const name of names) assert.deepEqual(await peerUrls(name), ["https", "https", "https"]);
        assert.deepEqual(
            await onHosts(
                "for port in 2380 3380; do curl -s -m 3 http://$(hostname -I | cut -d' ' -f1):$port/version || echo refused; done",
            ),
            all.map(() => "refused\nrefused"),
        );
    });

    it("then serves clients with certificates and those of old, is left alone by a second run, and comes back after a reboot", async () => {
        const started = await Promise.all(names.map((name) => startTimes(bed.lab, all, name)));
        const again = await project.mustUp(declared());
        assert.doesNotMatch(again.text, /\] \d+\/\d+ /);
        assert.match(again.text, /the client port is open without TLS and without certificates/);
        assert.deepEqual(await Promise.all(names.map((name) => startTimes(bed.lab, all, name))), started);
        await bed.lab.host("b").reboot();
        for (const name of names)
            await eventually(`${name} on b`, 90, async () => {
                assert.match(await bed.lab.host("b").output(`${plainEtcdctl("b", name)} get greeting`), /hello/);
            });
        assert.match(await etcdctl(bed.lab.host("c"), "released", "get greeting", ports.released), /hello/);
        await assert.rejects(
            bed.lab.host("c").output(`${withoutCertificate("c", "released")} get greeting`),
            /certificate|deadline exceeded/,
        );
    });

    it("serves https to clients with certificates alone when adopt is taken away, loses no write, and is left alone after that", async () => {
        // Clients that have their certificates by now; those of 3.4 can get in only when it is done.
        const workload = await forThisTest(
            startWorkload((await project.outputs()).released!, { phase: "released, https" }),
        );
        await project.mustUp(declared({}));
        await assertNothingLost(workload);
        for (const name of names) {
            const port = ports[name];
            assert.match(await etcdctl(bed.lab.host("b"), name, "get greeting", port), /hello/);
            assert.deepEqual(await voters(bed.lab.host("c"), name, port), all);
            for (const host of all) {
                for (const stranger of [plainEtcdctl(host, name), withoutCertificate(host, name)])
                    await assert.rejects(
                        bed.lab.host(host).output(`${stranger} get greeting`),
                        /Error|deadline exceeded/,
                    );
                const url = `http://${bed.lab.host(host).address}:${port}/version`;
                await assert.rejects(bed.lab.host(host).output(`curl -fsS -m 3 ${url}`));
            }
        }
        const started = await Promise.all(names.map((name) => startTimes(bed.lab, all, name)));
        const again = await project.mustUp(declared({}));
        assert.doesNotMatch(again.text, /\] \d+\/\d+ |is open without TLS/);
        assert.deepEqual(await Promise.all(names.map((name) => startTimes(bed.lab, all, name))), started);
    });
});
