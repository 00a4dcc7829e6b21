import assert from "node:assert/strict";

import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { Project } from "./project";

describe("a cluster of one that grows to three", () => {
    const cluster = "grow";
    let bed: Bed;
    let project: Project;

    before(async () => {
        bed = await openBed("it-grow", "10.80.1", 3);
        project = await Project.open();
    });

    after(async () => {
        project.close();
        await bed.lab.down();
    });

    it("is bootstrapped by the first up, and its file says existing from then on", async () => {
        const run = await project.mustUp({ [cluster]: bed.declare(1) });
        assert.match(run.text, /bootstrap a cluster of one on "a"/);
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), ["a"]);
        const file = await bed.lab.host("a").output(`cat /etc/etcd/${cluster}/membership.env`);
        assert.match(file, /^ETCD_INITIAL_CLUSTER_STATE=existing$/m);
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");
    });

    it("shows the steps of its growth in a preview that changes nothing", async () => {
        const run = await project.preview({ [cluster]: bed.declare(3) });
        assert.equal(run.code, 0, run.text);
        for (const step of [
            /add "b" as a learner/,
            /add "c" as a learner/,
            /promote "b" to voter/,
            /promote "c" to voter/,
        ]) {
            assert.match(run.text, step);
        }
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), ["a"]);
    });

    it("has three voters after two hosts were added, and every one of them has the data", async () => {
        await project.mustUp({ [cluster]: bed.declare(3) });
        for (const name of ["a", "b", "c"]) {
            assert.deepEqual(await voters(bed.lab.host(name), cluster), ["a", "b", "c"]);
            assert.match(await etcdctl(bed.lab.host(name), cluster, "get greeting"), /hello/);
            const file = await bed.lab.host(name).output(`cat /etc/etcd/${cluster}/membership.env`);
            assert.match(file, /^ETCD_INITIAL_CLUSTER_STATE=existing$/m, `the file of "${name}"`);
        }
    });

    it("is left alone by a second up, which connects to each host once: no change, no restart", async () => {
        const before = await startTimes(bed.lab, ["a", "b", "c"], cluster);
        const loginsBefore = await logins();
        const run = await project.mustUp({ [cluster]: bed.declare(3) });
        assert.doesNotMatch(run.text, /\b(updated|created|replaced|deleted)\b/);
        assert.doesNotMatch(run.text, /warning|error|function/i);
        assert.deepEqual(
            (await logins()).map((count, index) => count - loginsBefore[index]!),
            [1, 1, 1],
        );
        assert.deepEqual(await startTimes(bed.lab, ["a", "b", "c"], cluster), before);
    });

    function logins(): Promise<readonly number[]> {
        const count = "journalctl --unit ssh | grep --count 'Accepted publickey'";
        return Promise.all(["a", "b", "c"].map(async (name) => Number(await bed.lab.host(name).output(count))));
    }

    it("shows endpoints, members and the state of the cluster", async () => {
        const outputs = (await project.outputs())[cluster]!;
        assert.deepEqual(outputs.endpoints, [
            "https://10.80.1.11:2379",
            "https://10.80.1.12:2379",
            "https://10.80.1.13:2379",
        ]);
        assert.deepEqual(
            outputs.members.map((member) => member.name),
            ["a", "b", "c"],
        );
        assert.equal(outputs.initialClusterState, "existing");
        assert.match(outputs.etcdctl, /--endpoints https:\/\/10\.80\.1\.11:2379,/);
    });

    it("answers the line that it shows, with the operator's certificate saved as it says", async () => {
        const { etcdctl: line, operator } = (await project.outputs())[cluster]!;
        const host = bed.lab.host("b");
        await host.output("mkdir -m 0700 /root/operator; ln -s /opt/etcd/*/etcdctl /usr/local/bin/etcdctl");
        await host.writeFile("/root/operator/ca.crt", operator.ca);
        await host.writeFile("/root/operator/operator.crt", operator.cert);
        await host.writeFile("/root/operator/operator.key", operator.key);
        assert.match(await host.output(`cd /root/operator && ${line} get greeting`), /hello/);
        assert.equal(
            (await host.output(`cd /root/operator && ${line} endpoint health 2>&1`)).match(/ is healthy/g)?.length,
            3,
        );
    });

    it("keeps private keys out of the readable part of the state", async () => {
        const state: unknown = JSON.parse(await project.state());
        assert.deepEqual(placesOf(state, "PRIVATE KEY"), []);
        assert.deepEqual(placesOf(state, bed.lab.privateKey.split("\n")[2]!.slice(0, 40)), []);
    });

    it("comes back by itself when all hosts are rebooted at once", async () => {
        await Promise.all(["a", "b", "c"].map((name) => bed.lab.host(name).reboot()));
        await eventually("the cluster answers", 60, async () => {
            assert.match(await etcdctl(bed.lab.host("b"), cluster, "get greeting"), /hello/);
        });
        // Members that boot at once open their client ports up to 7 s apart.
        await eventually("the last one answers, too", 60, async () => {
            assert.deepEqual(await voters(bed.lab.host("c"), cluster), ["a", "b", "c"]);
        });
    });

    it("shrinks to the one host that is still declared, which takes over the lead", async () => {
        await project.mustUp({ [cluster]: bed.declare(["b"]) });
        assert.deepEqual(await voters(bed.lab.host("b"), cluster), ["b"]);
        assert.match(await etcdctl(bed.lab.host("b"), cluster, "get greeting"), /hello/);
        for (const name of ["a", "c"]) {
            const left = await bed.lab
                .host(name)
                .output(
                    `systemctl is-active etcd-${cluster} || true; ls -d /var/lib/etcd/${cluster}.* /etc/etcd/${cluster} 2>/dev/null || true`,
                );
            assert.match(left, /inactive/);
            assert.match(left, new RegExp(`/var/lib/etcd/${cluster}\\.\\d{8}T\\d{6}Z`));
            assert.doesNotMatch(left, new RegExp(`^/etc/etcd/${cluster}$`, "m"));
        }
    });
});

/** Where in a value a text is readable. */
function placesOf(value: unknown, text: string, place = ""): readonly string[] {
    if (typeof value === "string") return value.includes(text) ? [place] : [];
    if (typeof value !== "object" || value === null) return [];
    return Object.entries(value).flatMap(([key, part]) => placesOf(part, text, `${place}/${key}`));
}
