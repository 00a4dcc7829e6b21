import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, voters, type Bed } from "./fixture";
import { told } from "./moments";
import { Project } from "./project";
import { watchHosts } from "./untouched";

const cluster = "drift";
const all = ["a", "b", "c"];
const root = `/etc/etcd/${cluster}`;
const unit = `/etc/systemd/system/etcd-${cluster}.service`;

describe("what somebody does to hosts by hand", () => {
    let bed: Bed;
    let project: Project;
    let started: readonly string[];

    function declared(): Record<string, EtcdClusterArgs> {
        return { [cluster]: bed.declare(3, { timeouts: { healthSeconds: 20 } }) };
    }

    before(async () => {
        bed = await openBed("op-drift", "10.103.2", 3);
        project = await Project.open();
        await project.mustUp(declared());
    });

    beforeEach(async () => {
        started = await startTimes(bed.lab, all, cluster);
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    async function preview(): Promise<readonly string[]> {
        const run = await project.preview(declared());
        assert.equal(run.code, 0, run.text);
        return told(run.text, cluster);
    }

    /** Who was restarted, or rebooted, since the test began. */
    async function restarted(): Promise<readonly string[]> {
        const now = await startTimes(bed.lab, all, cluster);
        return all.filter((_, index) => now[index] !== started[index]);
    }

    async function repaired(): Promise<readonly string[]> {
        const lines = told((await project.mustUp(declared())).text, cluster);
        const again = await project.up(declared(), "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), all);
        return lines;
    }

    it("to a file is shown with the difference, and undone without a restart", async () => {
        const file = `${root}/generations/${(await bed.lab.host("b").output(`cat ${root}/staged`)).trim()}/etcd.env`;
        await bed.lab
            .host("b")
            .output(`sed -i 's/^ETCD_LOG_LEVEL=.*/ETCD_LOG_LEVEL=error/' ${file}; echo MY_PASSWORD=hunter2 >>${file}`);
        const lines = await preview();
        assert.ok(lines.includes(`host "b": ${file} was changed by hand; up puts it back:`), lines.join("\n"));
        assert.ok(lines.includes("    -ETCD_LOG_LEVEL=info") && lines.includes("    +ETCD_LOG_LEVEL=error"));
        assert.ok(lines.includes("    +MY_PASSWORD=(hidden)"));
        assert.ok(!lines.some((line) => /hunter2|plan 1/.test(line)));
        await repaired();
        assert.match(await bed.lab.host("b").readFile(file), /^ETCD_LOG_LEVEL=info$/m);
        assert.deepEqual(await restarted(), []);
    });

    it("to a file that etcd was then started with is undone with a restart of that member", async () => {
        const b = bed.lab.host("b");
        await b.output(`
            sed -i 's/^ETCD_LOG_LEVEL=.*/ETCD_LOG_LEVEL=error/' ${root}/current/etcd.env
            sed -i 's/^LimitNOFILE=.*/LimitNOFILE=1024/' ${unit}
            systemctl daemon-reload; systemctl restart etcd-${cluster}`);
        started = await startTimes(bed.lab, all, cluster);
        const lines = await preview();
        assert.ok(lines.includes("    +LimitNOFILE=1024"), lines.join("\n"));
        assert.match(
            lines.join("\n"),
            /^plan \d\/\d: restart "b" .*: it was started from files that were changed by hand since/m,
        );
        await repaired();
        assert.deepEqual(await restarted(), ["b"]);
        assert.match(await b.output("tr '\\0' '\\n' < /proc/$(pidof etcd)/environ"), /^ETCD_LOG_LEVEL=info$/m);
        assert.match(await b.readFile(unit), /^LimitNOFILE=65536$/m);
    });

    it("to owners, modes, keys and the firewall is shown without a key, and undone", async () => {
        const c = bed.lab.host("c");
        const key = await c.readFile(`${root}/pki/peer.key`);
        await c.output(`
            chmod 644 ${root}/pki/server.key; chown root:root ${root}/pki/peer.crt; chmod 755 /var/lib/etcd/${cluster}
            chmod 600 ${root}/membership.env; chown root /var/lib/etcd/${cluster}/member/snap/db; rm ${root}/pki/server.crt
            echo tampered >>${root}/pki/peer.key; nft delete table inet etcd_${cluster}; chmod 777 ${root}`);
        const text = (await preview()).join("\n");
        for (const line of [
            `${root} has mode and owner 777 root:etcd, wanted is 750 root:etcd; up sets them`,
            `${root}/pki/server.key has mode and owner 644 etcd:etcd, wanted is 600 etcd:etcd; up sets them`,
            `${root}/pki/peer.crt has mode and owner 600 root:root, wanted is 600 etcd:etcd; up sets them`,
            `/var/lib/etcd/${cluster} has mode and owner 755 etcd:etcd, wanted is 700 etcd:etcd; up sets them`,
            `${root}/membership.env has mode and owner 600 root:etcd, wanted is 640 root:etcd; up sets them`,
            `/var/lib/etcd/${cluster}/member/snap/db belongs to root:etcd, wanted is etcd:etcd; up sets it`,
            `${root}/pki/server.crt is gone; up puts it back`,
            `${root}/pki/peer.key was changed by hand (not shown); up puts it back`,
            "the firewall's table is not in force, or would not be after a reboot; up loads it",
        ])
            assert.ok(text.includes(`host "c": ${line}`), `${line}\n${text}`);
        assert.doesNotMatch(text, /tampered|BEGIN|plan 1/);
        await repaired();
        assert.deepEqual(await restarted(), []);
        assert.equal(await c.readFile(`${root}/pki/peer.key`), key);
        assert.equal(
            await c.output(
                `stat -c '%a %U' ${root} ${root}/pki/server.key ${root}/pki/server.crt /var/lib/etcd/${cluster} /var/lib/etcd/${cluster}/member/snap/db; nft list tables`,
            ),
            `750 root\n600 etcd\n600 etcd\n700 etcd\n600 etcd\ntable inet etcd_${cluster}\n`,
        );
    });

    it("to the firewall's rules, while its table stays, is shown and undone", async () => {
        const [a, b] = [bed.lab.host("a"), bed.lab.host("b")];
        const rules = `nft list chain inet etcd_${cluster} input`;
        const wanted = await a.output(rules);
        await a.output(`nft flush table inet etcd_${cluster}`);
        await b.output(`nft insert rule inet etcd_${cluster} input accept`);
        const text = (await preview()).join("\n");
        for (const name of ["a", "b"])
            assert.ok(text.includes(`host "${name}": the firewall's table is not in force`), `${name}\n${text}`);
        await repaired();
        assert.deepEqual(await restarted(), []);
        for (const host of [a, b]) assert.equal(await host.output(rules), wanted);
    });

    it("beside etcd's unit is warned of, and left alone", async () => {
        const dropIn = `${unit}.d/nice.conf`;
        await bed.lab.host("b").output(`mkdir -p ${unit}.d; printf '[Service]\\nNice=5\\n' >${dropIn}`);
        const warning = `warning: host "b": ${dropIn} changes etcd's unit and is not pulumi-etcd's; it is left alone`;
        assert.ok((await preview()).includes(warning));
        await repaired();
        assert.deepEqual(await restarted(), []);
        await bed.lab.host("b").output(`rm -r ${unit}.d; systemctl daemon-reload`);
    });

    it("is refused where another tool says that it writes our files, and nothing is changed", async () => {
        const a = bed.lab.host("a");
        await a.output(`
            sed -i '1i # This file is managed by Puppet. DO NOT EDIT.' ${root}/current/etcd.env
            mv ${unit} /root/unit; printf '[Service]\\nExecStart=/usr/bin/etcd\\n' >${unit}`);
        const assertUntouched = await watchHosts(bed.lab);
        const run = await project.up(declared());
        assert.notEqual(run.code, 0);
        assert.match(
            run.text,
            /host "a" .*etcd\.env is pulumi-etcd's, and another tool says there that it writes it \(# This file is managed by Puppet\. DO NOT EDIT\.\)/,
        );
        assert.match(run.text, new RegExp(`${unit} is there and was not made by pulumi-etcd`));
        assert.match(run.text, /nothing was changed on any host/);
        await assertUntouched();
        await a.output(`sed -i 1d ${root}/current/etcd.env; mv /root/unit ${unit}`);
        await repaired();
    });

    it("to members is shown without a refresh and undone: one stopped, one removed", async () => {
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");
        await bed.lab.host("b").output(`systemctl disable --now --quiet etcd-${cluster}`);
        assert.match((await preview()).join("\n"), /^plan 1\/\d: start "b": it is inactive .*0 of 3 → 1 of 3/m);
        await repaired();
        assert.deepEqual(await restarted(), ["b"]);

        const id =
            /^([0-9a-f]+), started, c,/m.exec(await etcdctl(bed.lab.host("a"), cluster, "member list"))?.[1] ?? "";
        await eventually("etcd, which refuses it for seconds after a restart, removes the member", 60, async () => {
            await etcdctl(bed.lab.host("a"), cluster, `member remove ${id}`);
        });
        assert.match((await preview()).join("\n"), /add "c" as a learner/);
        await repaired();
        assert.match(await etcdctl(bed.lab.host("c"), cluster, "get greeting"), /hello/);
    });

    it("leaves a host, as a loss of power may, with emptied files: etcd starts where it is safe, and up puts them right", async () => {
        const b = bed.lab.host("b");
        await etcdctl(b, cluster, "put greeting hello");
        const files = [unit, `${root}/membership.env`, `${root}/identity`, `${root}/peers.nft`];
        for (const file of files) {
            await b.output(`: >${file}`);
            await b.reboot();
            // What only says whose data there is keeps no data from being served.
            const isNeeded = file === unit || file.endsWith("peers.nft");
            if (isNeeded) assert.equal(await b.output("pgrep -a etcd; true"), "", file);
            else
                await eventually(
                    `etcd starts without ${file}`,
                    60,
                    async () => void (await etcdctl(b, cluster, "get greeting")),
                );
            await repaired();
            assert.notEqual(await b.output(`cat ${file}`), "", file);
        }
        assert.match(await b.output(`nft list set inet etcd_${cluster} peers4`), /10\.103\.2\.11/);
        assert.match(await etcdctl(b, cluster, "get greeting"), /hello/);
    });

    it("to the firewall's list of peers, so that nft does not read it, is undone", async () => {
        const b = bed.lab.host("b");
        await b.output(
            `sed -i 's/set peers6/set peers4/' ${root}/peers.nft; systemctl restart etcd-${cluster}-firewall || true`,
        );
        await repaired();
        assert.match(await b.output(`nft list table inet etcd_${cluster}`), /10\.103\.2\.11/);
    });

    it("to a host as a whole is shown and undone: one that was rebuilt", async () => {
        await bed.lab.host("c").rebuild();
        const text = (await preview()).join("\n");
        assert.match(text, /host "c" has none of its files; up lays them down again/);
        assert.match(text, /on the way, the cluster survives the loss of 0 of 3 → 0 of 2 → 1 of 3 voters/);
        await repaired();
        assert.match(await etcdctl(bed.lab.host("c"), cluster, "get greeting"), /hello/);
    });
});

describe("a host, with the only member, that lost its power while a file was written", () => {
    const [lone, root, data] = ["lone", "/etc/etcd/lone", "/var/lib/etcd/lone"];
    let bed: Bed;
    let project: Project;

    before(async () => {
        bed = await openBed("op-lone", "10.103.3", 1);
        project = await Project.open();
        await project.mustUp(declared("info"));
        await etcdctl(bed.lab.host("a"), lone, "put greeting hello");
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    function declared(logLevel: "info" | "warn" | "error"): Record<string, EtcdClusterArgs> {
        return { [lone]: bed.declare(1, { logLevel, timeouts: { healthSeconds: 10 } }) };
    }

    async function assertWhole(): Promise<void> {
        const a = bed.lab.host("a");
        assert.match(await etcdctl(a, lone, "get greeting"), /hello/);
        assert.match(await a.output(`cat ${root}/membership.env`), /^ETCD_INITIAL_CLUSTER_STATE=existing$/m);
    }

    it("goes on with its data, though it is told nothing of its peers, and takes another setting", async () => {
        const a = bed.lab.host("a");
        await a.output(`: >${root}/membership.env`);
        await a.reboot();
        await eventually("etcd serves", 60, async () => void (await etcdctl(a, lone, "get greeting")));
        const run = await project.mustUp(declared("warn"));
        await assertWhole();
        const steps = told(run.text, lone).flatMap((line) => /^\d\/\d (\w+)/.exec(line)?.[1] ?? []);
        assert.deepEqual(steps, ["write", "restart"]);
    });

    it("is started by up where etcd was stopped, and the file is empty or gone", async () => {
        const a = bed.lab.host("a");
        for (const lose of [`: >${root}/membership.env`, `rm ${root}/membership.env`]) {
            await a.output(`systemctl stop etcd-${lone}; ${lose}`);
            await project.mustUp(declared("warn"));
            await assertWhole();
        }
    });

    it("does not start without data and without a word of its peers, which would found another cluster", async () => {
        const a = bed.lab.host("a");
        await a.output(`
            systemctl stop etcd-${lone}; mv ${data}/member /root/; touch ${root}/may-start-empty
            cp -p ${root}/membership.env /root/; : >${root}/membership.env; systemctl start etcd-${lone} --no-block`);
        const said = `${root}/membership.env is empty`;
        await a.output(
            `timeout 60 sh -c "until journalctl -u etcd-${lone} -o cat | grep -qF '${said}'; do sleep 0.1; done"`,
        );
        assert.equal(await a.output(`ls -A ${data}; rm ${root}/may-start-empty`), "");
        await a.output(`systemctl stop etcd-${lone}; mv /root/member ${data}/; cp -p /root/membership.env ${root}/`);
        await project.mustUp(declared("warn"));
        await assertWhole();
    });
});
