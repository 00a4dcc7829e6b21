import assert from "node:assert/strict";
import { basename } from "node:path/posix";

import type { EtcdClusterArgs } from "../../components";
import { FaultBed, lookAfter } from "./faultBed";

describe("fault: scheduled backups, and what can happen to them", () => {
    const cluster = "backup";
    const all = ["a", "b", "c"];
    const directory = "/srv/backup/etcd";
    const unit = `etcd-${cluster}-backup`;
    const files = `/etc/systemd/system/${unit}.service /etc/systemd/system/${unit}.timer /etc/etcd/${cluster}/backup.sh`;
    const daily = { backup: { keep: 2 } };
    let site: FaultBed;

    before(async () => {
        site = await FaultBed.open(cluster, "10.107.12", 3);
        await site.mustUp(3);
    });

    lookAfter(
        () => site,
        () => site.mustUp(3, daily),
    );

    function placeOf(name: string): string {
        return `${directory}/${cluster}/${name}`;
    }

    /** What lies there, the oldest first. */
    async function found(name: string): Promise<readonly string[]> {
        return (await site.host(name).output(`LC_ALL=C ls -A ${placeOf(name)}`)).split("\n").slice(0, -1);
    }

    /** @returns the name of the file, the only new one */
    async function backUp(name: string): Promise<string> {
        const before = await found(name).catch((): readonly string[] => []);
        // More often within seconds than systemd would have it.
        await site.host(name).output(`systemctl reset-failed ${unit} 2>/dev/null; systemctl start ${unit}`);
        const made = (await found(name)).filter((file) => !before.includes(file));
        assert.equal(made.length, 1, made.join());
        return made[0]!;
    }

    /** What is said on a host while the unit is started and fails. */
    async function failure(name: string): Promise<readonly string[]> {
        const host = site.host(name);
        const cursor = await host.output("journalctl --lines 0 --show-cursor --quiet | sed -n 's/^-- cursor: //p'");
        assert.equal((await host.run(`systemctl reset-failed ${unit} 2>/dev/null; systemctl start ${unit}`)).code, 1);
        assert.equal((await host.run(`systemctl is-failed ${unit}`)).stdout, "failed\n");
        // Of whomever: whose lines are of which unit is not always known of one that ends at once.
        const since = `journalctl --sync; journalctl --after-cursor '${cursor.trim()}' --output cat --no-pager`;
        return (await host.output(since)).split("\n").slice(0, -1);
    }

    /** Nobody is restarted by it, and nothing is left to do. */
    async function takesUp(changes: Partial<EtcdClusterArgs>): Promise<string> {
        const before = await site.startTimes(all);
        const run = await site.mustUp(all, changes);
        assert.deepEqual(await site.startTimes(all), before);
        await site.isDone(all, changes);
        return run.text;
    }

    function manifests(): Promise<readonly string[]> {
        return Promise.all(all.map((name) => site.host(name).readFile(`/etc/etcd/${cluster}/manifest`)));
    }

    async function assertGone(name: string): Promise<void> {
        const host = site.host(name);
        assert.equal(await host.output(`ls -d ${files} /var/lib/${unit} 2>/dev/null || :`), "");
        const units = `systemctl list-units --all --no-legend '${unit}*'; ls /etc/systemd/system/timers.target.wants /var/lib/systemd/timers | grep ${unit} || :`;
        assert.equal(await host.output(units), "");
    }

    it("are declared, and declared no more, without a restart; backups and other people's units are left alone", async () => {
        const before = await manifests();
        await site.host("b").writeFile(`/etc/systemd/system/${unit}.service`, "[Service]\nExecStart=/bin/true\n");
        await site.isDone(all);
        await site.mustRefuse(
            3,
            new RegExp(`host "b".*/${unit}.service is there and was not made by pulumi-etcd`),
            daily,
        );
        await site.host("b").output(`rm /etc/systemd/system/${unit}.service`);

        await takesUp(daily);
        for (const name of all) {
            const states = `systemctl is-enabled ${unit}.timer; systemctl is-active ${unit}.timer`;
            assert.equal(await site.host(name).output(states), "enabled\nactive\n");
        }
        const file = await backUp("a");

        await takesUp({});
        for (const name of all) await assertGone(name);
        assert.deepEqual(await found("a"), [file]);
        assert.deepEqual(await manifests(), before);
        await site.mustUp(all, daily);
    });

    it("are whole, root's alone, and the last few of each host; no other file is touched", async () => {
        const a = site.host("a");
        await a.output(
            `mkdir -p ${placeOf("a")} ${directory}/${cluster}/a-b; cd ${placeOf("a")}; touch mine.db 2.db ../a-b/20200101T000000.000Z.db`,
        );
        // Of a time when the clock was ahead: not these are the latest.
        await backUp("a");
        await a.output(
            `cd ${placeOf("a")}; touch 20990101T000000.000Z.db 20990102T000000.000Z.db; ls *T*.db >> /var/lib/${unit}/made`,
        );
        const made = [await backUp("a"), await backUp("a"), await backUp("a")];
        assert.deepEqual(await found("a"), ["2.db", ...made.slice(-2), "mine.db"]);
        assert.deepEqual((await a.readFile(`/var/lib/${unit}/made`)).trim().split("\n"), made.slice(-2));
        assert.equal(await a.output(`ls ${directory}/${cluster}/a-b`), "20200101T000000.000Z.db\n");
        const stat = `stat -c '%a %U:%G' ${directory} ${placeOf("a")} ${placeOf("a")}/${made.at(-1)}`;
        assert.equal(await site.host("a").output(stat), "700 root:root\n700 root:root\n600 root:root\n");
        await a.output(`rm -r ${placeOf("a")}/2.db ${placeOf("a")}/mine.db ${directory}/${cluster}/a-b`);
    });

    it("leave alone what another cluster of that name has made there, before or on a shared file system", async () => {
        const others = ["20200101T000000.000Z.db", "20990101T000000.000Z.db"].map((file) => `${placeOf("a")}/${file}`);
        await site.host("a").output(`touch ${others.join(" ")}`);
        const made = [await backUp("a"), await backUp("a"), await backUp("a")];
        const left = await found("a");
        assert.equal(left.length, 4, left.join());
        for (const file of [...made.slice(-2), ...others.map((path) => basename(path))])
            assert.ok(left.includes(file), file);
        await site.host("a").output(`rm ${others.join(" ")}`);
    });

    it("are made, and none is pruned, where it can't be noted that they were", async () => {
        const a = site.host("a");
        const before = await found("a");
        await a.output(`mount -t tmpfs -o ro none /var/lib/${unit}`);
        const made = await backUp("a");
        await a.output(`umount /var/lib/${unit}`);
        assert.deepEqual(await found("a"), [...before, made]);
        assert.match(
            await a.output(`journalctl --unit ${unit} --output cat --no-pager`),
            /warning: no older backup was removed: \/var\/lib\/\S+\/made can't be written/,
        );
        await a.output(`rm ${placeOf("a")}/${made}`);
    });

    it("are made by a unit that is exposed at most 2.0 by systemd's own measure", async () => {
        const measured = await site.host("a").output(`systemd-analyze security --no-pager ${unit}.service`);
        const score = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(measured)?.[1]);
        console.log(`      exposure ${score}`);
        assert.ok(score <= 2, `${score}`);
    });

    it("a full target: the backup fails and says so, its part is gone, the old ones stay, nobody else notices; room is all it takes", async () => {
        const b = site.host("b");
        const old = `${placeOf("b")}/20200101T000000.000Z.db`;
        // More than the target will hold.
        await site.etcdctl("b", `put big "$(head -c 100000 /dev/zero | tr '\\0' x)"`);
        await site.work("the target of scheduled backups is full");
        await b.output(`mkdir -p ${directory} && mount -t tmpfs -o size=64k,mode=700 none ${directory}`);
        await b.output(`mkdir -p ${placeOf("b")} && head -c 8192 /dev/urandom > ${old}`);
        const look = (): Promise<string> => b.output(`cd ${placeOf("b")} && ls -A && sha256sum *`);
        const before = await look();

        const said = await failure("b");

        const own = said.filter((line) => line.startsWith("no backup was made: "));
        assert.equal(own.length, 1, said.join("\n"));
        assert.match(own[0]!, /no space left on device; older ones in \/srv\/backup\/etcd\/backup\/b are kept$/);
        assert.equal(await look(), before);
        await site.progress();
        await b.output(`mount -o remount,size=900m ${directory}`);
        await backUp("b");
        assert.equal((await found("b")).length, 2);
        await b.output(`umount ${directory}`);
        await site.converges(all, daily);
    });

    it("a target that is not mounted: the backup fails and says so, and nothing is put where it should be", async () => {
        const b = site.host("b");
        const fstab = "/etc/fstab";
        await b.output(
            `touch ${fstab}; cp -p ${fstab} /root/fstab; mv ${directory} ${directory}.kept; mkdir ${directory}; ` +
                `echo 'gone:/backup ${directory} nfs nofail 0 0' >> ${fstab}; systemctl daemon-reload`,
        );
        const said = await failure("b");
        const own = said.filter((line) => line.startsWith("no backup was made: "));
        assert.deepEqual(own, [
            `no backup was made: ${directory} is not mounted: see systemctl status srv-backup-etcd.mount`,
        ]);
        assert.equal(await b.output(`ls -A ${directory}`), "");
        await b.output(
            `rmdir ${directory}; mv ${directory}.kept ${directory}; mv /root/fstab ${fstab}; systemctl daemon-reload`,
        );
        await backUp("b");
    });

    it("a disk that keeps something else than etcd sent: the backup fails and says so, though what it kept can be read", async () => {
        const b = site.host("b");
        await backUp("b");
        const before = await found("b");
        const [etcdctl = ""] = (await b.output("ls /opt/etcd/*/etcdctl")).split("\n");
        // One byte of the last page, in what etcdctl has written.
        await b.output(`
            cp ${etcdctl} /opt/etcdctl
            cat >/opt/damaging <<'SCRIPT'
#!/bin/sh
/opt/etcdctl "$@" || exit
case "$*" in *"snapshot save"*) ;; *) exit ;; esac
while [ $# -gt 1 ]; do shift; done
printf '\\377' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") - 40)) conv=notrunc status=none
SCRIPT
            chmod 755 /opt/damaging; mount --bind /opt/damaging ${etcdctl}`);
        const said = await failure("b");
        assert.ok(
            said.some((line) => /^no backup was made: Error: what was saved is not what etcd sent/.test(line)),
            said.join("\n"),
        );
        await b.output(`umount ${etcdctl}; rm /opt/etcdctl /opt/damaging`);
        assert.deepEqual(await found("b"), before);
        await backUp("b");
    });

    it("a run that is stopped half-way leaves the old ones, and nothing that the next one minds", async () => {
        const b = site.host("b");
        await backUp("b");
        const before = await found("b");
        const [pid = ""] = (await b.output(`systemctl show --value --property MainPID etcd-${cluster}`)).split("\n");
        // Etcd hangs, and so does its backup.
        await b.output(`kill -STOP ${pid}; systemctl start --no-block ${unit}`);
        await b.output(`until pgrep -x etcdctl; do :; done; systemctl stop ${unit}; kill -CONT ${pid}`);
        assert.deepEqual(await found("b"), before);
        await b.output(`head -c 4096 /dev/urandom | tee ${placeOf("b")}/backup.part >${placeOf("b")}/backup.part.part`);
        await backUp("b");
        assert.ok(!(await found("b")).some((file) => file.includes("part")));
    });

    it("a stopped etcd: the backup fails and says why; a host whose member never joined has none to fail", async () => {
        const c = site.host("c");
        await c.output(`systemctl stop etcd-${cluster}`);
        assert.deepEqual(
            (await failure("c")).filter((line) => line.startsWith("no backup")),
            [`no backup was made: etcd-${cluster}.service is inactive: start it, or run pulumi up`],
        );
        await c.output(`cd /etc/etcd/${cluster}; mv membership.env /root/; systemctl reset-failed ${unit}`);
        const { code } = await c.run(`systemctl start ${unit}`);
        const state = await c.output(`systemctl is-failed ${unit} || :; mv /root/membership.env /etc/etcd/${cluster}/`);
        assert.deepEqual([code, state], [0, "inactive\n"]);
        await site.converges(all, daily);
        await backUp("c");
    });

    it("what was changed by hand is shown, and put back", async () => {
        const a = site.host("a");
        await a.output(
            `sed -i 's/^OnCalendar=.*/OnCalendar=yearly/' /etc/systemd/system/${unit}.timer; echo true >>/etc/etcd/${cluster}/backup.sh; systemctl daemon-reload`,
        );
        await site.host("b").output(`systemctl --quiet disable --now ${unit}.timer`);
        await site.host("c").output(`rm /etc/systemd/system/${unit}.service`);
        const text = await takesUp(daily);
        for (const line of [
            `host "a": /etc/systemd/system/${unit}.timer was changed by hand; up puts it back:`,
            "    +OnCalendar=yearly",
            `host "a": /etc/etcd/${cluster}/backup.sh was changed by hand; up puts it back:`,
            'host "b": the timer of its backups does not run, or would not after a reboot; up starts it',
            `host "c": /etc/systemd/system/${unit}.service is gone; up puts it back`,
        ])
            assert.ok(text.includes(line), `${line}\n${text}`);
        assert.match(
            await a.output(`systemctl show --property TimersCalendar ${unit}.timer`),
            /OnCalendar=\*-\*-\* 00:00:00/,
        );
        for (const name of all) await backUp(name);
    });

    it("have another schedule at once; one that systemd does not understand is refused, and the old one kept", async () => {
        const shown = `systemctl show --property TimersCalendar ${unit}.timer`;
        const before = await site.host("a").output(shown);
        const why = /does not understand the backup\.schedule "sometimes"/;
        await site.mustRefuse(all, why, { backup: { schedule: "sometimes" } });
        assert.equal(await site.host("a").output(shown), before);
        await takesUp({ backup: { schedule: "*-*-* 02:30 UTC", keep: 3 } });
        assert.match(await site.host("a").output(shown), /OnCalendar=\*-\*-\* 02:30:00 UTC ; next_elapse=\w+ \d+/);
        await site.mustUp(all, daily);
    });

    it("bring a cluster back: a backup is a snapshot to begin anew from", async () => {
        await site.etcdctl("a", "put then kept");
        const file = await backUp("a");
        await site.etcdctl("a", "del then");
        const { clusterId } = (await site.project.outputs())[cluster]!;
        const changes = { ...daily, restore: { snapshot: `${placeOf("a")}/${file}`, replaces: clusterId } };
        await site.mustUp(all, changes);
        for (const name of all) assert.equal(await site.etcdctl(name, "get then --print-value-only"), "kept\n");
        await site.isDone(all, changes);
        await site.mustUp(all, daily);
        for (const name of all) await backUp(name);
    });

    it("end with the member of their host, and stay where they are", async () => {
        const before = await found("c");
        const changes = { ...daily, allowEvenSize: true };
        await site.mustUp(["a", "b"], changes);
        await assertGone("c");
        assert.deepEqual(await found("c"), before);
        assert.notEqual(before.length, 0);
        await site.isDone(["a", "b"], changes);
    });
});
