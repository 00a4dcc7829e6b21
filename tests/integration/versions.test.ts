import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { releaseArchive } from "../../lab/release";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, startTimes, statusOf, voters, type Bed } from "./fixture";
import { Project } from "./project";

/** Clusters side by side on the same hosts, each with ports of its own. */
const ports = {
    /** Debian's package. */
    debian: 2379,
    "v3-5": 3379,
    "v3-7": 4379,
} as const;
type Name = keyof typeof ports;
const names = Object.keys(ports) as readonly Name[];

describe("clusters of every supported version, side by side on the same hosts", () => {
    let bed: Bed;
    let project: Project;
    let changes: Readonly<Record<Name, Partial<EtcdClusterArgs>>>;
    /** The snapshots that an upgrade kept, by host. */
    let keptBefore: ReadonlyMap<string, string> = new Map();

    before(async () => {
        bed = await openBed("it-versions", "10.83.2", 4);
        project = await Project.open();
        changes = {
            debian: { version: "3.4.23", install: { source: "debian" } },
            "v3-5": await fromArchive("3.5"),
            "v3-7": await fromArchive("3.7"),
        };
    });
    after(async () => {
        project.close();
        await bed.lab.down();
    });
    diagnoseFailures(() => bed?.lab);

    async function fromArchive(minor: string): Promise<Partial<EtcdClusterArgs>> {
        const { version, path, sha256 } = await releaseArchive(minor);
        return { version, install: { source: "file", path, sha256 } };
    }

    function declared(
        hosts: number | readonly string[],
        settings: Partial<EtcdClusterArgs> = {},
    ): Record<string, EtcdClusterArgs> {
        return Object.fromEntries(
            names.map((name) => {
                const clientPort = ports[name];
                const args = { ...changes[name], ...settings, clientPort, peerPort: clientPort + 1 };
                return [name, bed.declare(hosts, args)];
            }),
        );
    }

    /** Each of the hosts is a voter of each cluster, knows the same voters, and has all that was ever written. */
    async function assertMembers(...hosts: readonly string[]): Promise<void> {
        for (const name of names) {
            for (const host of hosts) {
                assert.deepEqual(await voters(bed.lab.host(host), name, ports[name]), hosts, `${name} on ${host}`);
                assert.match(await ask(name, host, "get greeting"), new RegExp(`hello from ${name}`));
            }
        }
    }

    const times = (...hosts: readonly string[]) => Promise.all(names.map((name) => startTimes(bed.lab, hosts, name)));

    const settings: Partial<EtcdClusterArgs> = { tuning: { snapshotCount: 5000 } };
    /** A dead host is given up soon. */
    const impatient = () => ({ ...bed.declare(1).ssh, connectTimeoutSeconds: 3 });

    const ask = (name: Name, host: string, command: string) => etcdctl(bed.lab.host(host), name, command, ports[name]);

    async function versionOf(name: Name, host: string): Promise<string> {
        return (await statusOf(bed.lab.host(host), name, ports[name])).version;
    }

    it("are bootstrapped with one member each", async () => {
        const run = await project.mustUp(declared(1));
        assert.match(run.text, /warning: .*etcd 3\.4\.23 is at its end of life/);
        for (const name of names) {
            assert.deepEqual(await voters(bed.lab.host("a"), name, ports[name]), ["a"]);
            await ask(name, "a", `put greeting "hello from ${name}"`);
        }
    });

    it("run the declared versions", async () => {
        for (const name of names) assert.equal(await versionOf(name, "a"), changes[name].version);
    });

    it("grow to three members each, which all have the data", async () => {
        await project.mustUp(declared(3));
        await assertMembers("a", "b", "c");
    });

    it("are left alone by a second up", async () => {
        const before = await times("a", "b", "c");
        const run = await project.mustUp(declared(3));
        assert.doesNotMatch(run.text, /\b(updated|created|replaced|deleted)\b/);
        assert.deepEqual(await times("a", "b", "c"), before);
    });

    it("have a healthy member replaced by a new host", async () => {
        await project.mustUp(declared(["a", "b", "d"]));
        await assertMembers("a", "b", "d");
        assert.equal((await bed.lab.host("c").run("pgrep -x etcd")).code, 1);
    });

    it("have a dead member replaced", async () => {
        await bed.lab.host("d").kill();
        const run = await project.mustUp(declared(["a", "b", "c"], { ssh: impatient() }));
        assert.match(run.text, /host "d" \(10\.83\.2\.14\) is no member any more, but could not be cleared/);
        await assertMembers("a", "b", "c");
    });

    it("have the member of a host that was rebuilt added again", async () => {
        await bed.lab.host("b").rebuild();
        await project.mustUp(declared(["a", "b", "c"]));
        await assertMembers("a", "b", "c");
    });

    it("are restarted for changed settings, each member once", async () => {
        const before = await times("a", "b", "c");
        await project.mustUp(declared(["a", "b", "c"], settings));
        await assertMembers("a", "b", "c");
        for (const [index, name] of names.entries()) {
            const after = await startTimes(bed.lab, ["a", "b", "c"], name);
            assert.ok(after.every((time, member) => time !== before[index]![member]));
            const config = await bed.lab
                .host("a")
                .output(`cat /proc/$(systemctl show --value -p MainPID etcd-${name})/environ`);
            assert.match(config, /ETCD_SNAPSHOT_COUNT=5000/);
        }
    });

    it("go back to a snapshot, each as another cluster", async () => {
        const before = await project.outputs();
        for (const name of names) {
            await ask(name, "a", `snapshot save /root/${name}.db`);
            await ask(name, "a", "put greeting lost");
        }
        const anew = Object.entries(declared(["a", "b", "c"], settings)).map(([name, args]) => {
            const restore = { snapshot: `/root/${name}.db`, replaces: before[name]!.clusterId };
            return [name, { ...args, restore }] as const;
        });
        await project.mustUp(Object.fromEntries(anew));
        await assertMembers("a", "b", "c");
        await project.mustUp(declared(["a", "b", "c"], settings));
        const after = await project.outputs();
        for (const name of names) assert.notEqual(after[name]!.clusterId, before[name]!.clusterId);
    });

    it("come back by themselves when all hosts are rebooted at once", async () => {
        await Promise.all(["a", "b", "c"].map((host) => bed.lab.host(host).reboot()));
        await eventually("all members answer", 60, () => assertMembers("a", "b", "c"));
        const before = await times("a", "b", "c");
        const run = await project.mustUp(declared(["a", "b", "c"], settings));
        assert.doesNotMatch(run.text, /\b(updated|created|replaced|deleted)\b/);
        assert.deepEqual(await times("a", "b", "c"), before);
    });

    it("don't bring up the member of its own that Debian's package has", async () => {
        for (const host of ["a", "b", "c"]) {
            const state = await bed.lab
                .host(host)
                .output(
                    "dpkg-query --show --showformat '${Status}\\n' etcd-server; systemctl is-active etcd.service; systemctl is-enabled etcd.service; ls /var/lib/etcd; true",
                );
            assert.match(state, /^install ok installed\ninactive\n(masked|disabled)\n/);
            assert.doesNotMatch(state, /^default$/m);
        }
    });

    it("go one series on with all members, and neither two nor back, and a refusal touches nobody", async () => {
        const [v6, v7] = [await fromArchive("3.6"), await fromArchive("3.7")];
        const declaredAs = (other: Partial<EtcdClusterArgs>) => ({
            ...declared(["a", "b", "c"], settings),
            "v3-5": { ...declared(["a", "b", "c"], settings)["v3-5"]!, ...other },
        });
        const assertRefused = async (other: Partial<EtcdClusterArgs>, reason: RegExp): Promise<void> => {
            const before = await times("a", "b", "c");
            const run = await project.up(declaredAs(other));
            assert.notEqual(run.code, 0);
            assert.match(run.text, reason);
            assert.deepEqual(await times("a", "b", "c"), before);
        };
        await assertRefused(v7, /version 3\.7\.\d+ is declared, but members run etcd 3\.5, and only one series/);
        const began = await times("a", "b", "c");
        const run = await project.mustUp(declaredAs(v6));
        const kept = run.text.matchAll(/snapshot kept on "(\w)" in (\S+\.db)/g);
        keptBefore = new Map([...kept].map(([, host, file]) => [host!, file!]));
        assert.equal(keptBefore.size, 2, run.text);
        await assertMembers("a", "b", "c");
        assert.equal(await versionOf("v3-5", "b"), v6.version);
        const after = await times("a", "b", "c");
        assert.deepEqual(
            names.map((_name, index) => after[index]!.filter((time, member) => time !== began[index]![member]).length),
            names.map((name) => (name === "v3-5" ? 3 : 0)),
        );
        await assertRefused(changes["v3-5"], /all members run etcd 3\.6 by now, and there is no way back to 3\.5/);
    });

    it("go back from a series with the snapshot that was kept before the last member left the one before", async () => {
        await ask("v3-5", "b", "put greeting lost");
        const [holder, file] = [...keptBefore].at(-1)!;
        const saved = await bed.lab.host(holder).output(`base64 -w 0 ${file}`);
        await bed.lab.host("a").writeFile("/root/before.db", Buffer.from(saved, "base64"));
        const replaces = (await project.outputs())["v3-5"]!.clusterId;
        const restored = declared(["a", "b", "c"], settings);
        await project.mustUp({
            ...restored,
            "v3-5": { ...restored["v3-5"]!, restore: { snapshot: "/root/before.db", replaces } },
        });
        await project.mustUp(restored);
        await assertMembers("a", "b", "c");
        assert.equal(await versionOf("v3-5", "b"), changes["v3-5"].version);
    });

    it("leave 3.4 only while its users and roles are off", async () => {
        for (const command of ["user add root:secret", "user grant-role root root", "auth enable"])
            await ask("debian", "a", command);
        const all = declared(["a", "b", "c"], settings);
        const leaving = { ...all, debian: { ...all.debian!, ...changes["v3-5"] } };
        const before = await times("a", "b", "c");
        const run = await project.up(leaving);
        assert.notEqual(run.code, 0);
        assert.match(run.text, /"a" runs etcd 3\.4\.23 with its users and roles on, .*\(etcdctl auth disable\)/);
        assert.deepEqual(await times("a", "b", "c"), before);
        await ask("debian", "a", "--user root:secret auth disable");
        await project.mustUp(leaving);
        changes = { ...changes, debian: changes["v3-5"] };
        await assertMembers("a", "b", "c");
    });

    it("shrink to one member each, which is not the first one, and keep the data", async () => {
        await project.mustUp(declared(["c"], settings));
        await assertMembers("c");
    });

    it("are taken away without a trace of their own, and Debian's package stays", async () => {
        const gone = await project.destroy();
        assert.equal(gone.code, 0, gone.text);
        for (const host of ["a", "b", "c"]) {
            const left = await bed.lab
                .host(host)
                .output(
                    "ls -d /etc/etcd /opt/etcd /etc/systemd/system/etcd-* 2>/dev/null; pgrep -x etcd; nft list ruleset; /usr/bin/etcd --version | head -n 1",
                );
            assert.equal(left, "etcd Version: 3.4.23\n");
        }
    });
});
