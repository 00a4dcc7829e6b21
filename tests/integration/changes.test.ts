import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, openBed, startTimes, voters, type Bed } from "./fixture";
import { told } from "./moments";
import { Project } from "./project";

const cluster = "changed";
/** How many snapshots taken before removals a host keeps. */
const KEPT = 5;

describe("a list of hosts that is edited in every way", () => {
    let bed: Bed;
    let project: Project;
    /** What is declared now. */
    let now: readonly string[] = [];

    before(async () => {
        bed = await openBed("ch-changes", "10.104.3", 7);
        project = await Project.open();
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    const host = (name: string) => bed.lab.host(name);
    const ask = (name: string, command: string): Promise<string> => etcdctl(host(name), cluster, command);

    /** In the given order, which `bed.declare` would not keep. */
    function declared(names: string, changes: Partial<EtcdClusterArgs> = {}): Record<string, EtcdClusterArgs> {
        const args = bed.declare(7, changes);
        const hosts = [...names].map((name) => args.hosts.find((one) => one.name === name)!);
        return { [cluster]: { ...args, hosts } };
    }

    /** @returns the steps, in words */
    async function change(names: string): Promise<readonly string[]> {
        const run = await project.mustUp(declared(names));
        now = [...names];
        for (const name of now) {
            assert.deepEqual(await voters(host(name), cluster), [...now].sort());
            if (now.length > 0) assert.match(await ask(name, "get greeting --consistency=s"), /hello|^$/);
        }
        return stepsOf(run.text);
    }

    function stepsOf(text: string): readonly string[] {
        return told(text, cluster).filter((line) => /^\d+\/\d+ /.test(line));
    }

    async function assertDataIsThere(): Promise<void> {
        for (const name of now) assert.match(await ask(name, "get greeting"), /hello/, `read from ${name}`);
    }

    async function assertNothingLeftToDo(): Promise<void> {
        await assertDataIsThere();
        const before = await startTimes(bed.lab, now, cluster);
        const again = await project.up(declared(now.join("")), "--expect-no-changes");
        assert.equal(again.code, 0, again.text);
        assert.deepEqual(await startTimes(bed.lab, now, cluster), before);
    }

    /** Where each member is found in a list of steps. */
    const at = (steps: readonly string[], pattern: RegExp): number => steps.findIndex((line) => pattern.test(line));

    async function addByHand(from: string, name: string, flags = ""): Promise<string> {
        const url = `https://${host(name).address}:2380`;
        const text = await ask(from, `member add ${name} ${flags} --peer-urls ${url}`);
        return /Member\s+(\w+) added/.exec(text)![1]!;
    }

    async function idOf(from: string, name: string): Promise<string | undefined> {
        const line = (await ask(from, "member list")).split("\n").find((one) => one.includes(` ${name}, `));
        return line?.split(",")[0];
    }

    /**
     * What a member's own log says of every change of the list since it joined, or the list was made.
     * @param most learners that there were at a time
     */
    async function assertChangedOneByOne(name: string, most: number): Promise<void> {
        const text = await host(name).output(
            `journalctl --unit etcd-${cluster} --output cat --no-pager | grep 'switched to configuration'`,
        );
        const ids = (list = ""): readonly string[] => list.split(" ").filter(Boolean);
        const lists = [...text.matchAll(/voters=\(([^)]*)\)(?: learners=\(([^)]*)\))?/g)];
        let before = ids(lists[0]?.[1]);
        for (const [line, votersNow] of lists) {
            const now = ids(votersNow);
            const changed = [...now.filter((id) => !before.includes(id)), ...before.filter((id) => !now.includes(id))];
            assert.ok(changed.length <= 1, `${changed.length} voters changed at once: ${line}\n${text}`);
            before = now;
        }
        assert.equal(Math.max(...lists.map(([, , learners]) => ids(learners).length)), most, text);
    }

    it("grows from one to three, five and seven, two learners at a time and voters one by one", async () => {
        await change("a");
        await ask("a", "put greeting hello");
        await change("abc");
        await change("abcde");
        const steps = await change("abcdefg");
        assert.ok(at(steps, /add "g" as a learner/) < at(steps, /start "f"/), "learners join side by side");
        await assertChangedOneByOne("a", 2);
        await assertNothingLeftToDo();
    });

    it("is left alone when only its order was changed", async () => {
        const all = [..."abcdefg"];
        const before = await startTimes(bed.lab, all, cluster);
        assert.deepEqual(await change("gfedcba"), []);
        assert.deepEqual(await startTimes(bed.lab, all, cluster), before);
        const { endpoints } = (await project.outputs())[cluster]!;
        assert.equal(endpoints[0], `https://${host("g").address}:2379`);
    });

    it("loses the first host of the list, which founded the cluster, and another", async () => {
        const steps = await change("cdefg");
        assert.match(steps.join("\n"), /take a snapshot on "c", then remove member "a"/);
        await assertNothingLeftToDo();
    });

    it("has a host back that was rebuilt under its old name, as a new member", async () => {
        const before = await idOf("d", "c");
        await host("c").rebuild();
        const steps = await change("cdefg");
        assert.ok(at(steps, /remove member "c"/) < at(steps, /add "c" as a learner/), steps.join("\n"));
        assert.notEqual(await idOf("d", "c"), before);
        await assertNothingLeftToDo();
    });

    it("has all its members replaced in one edit, never with fewer voters than before nor more than two learners", async () => {
        await change("cde");
        const steps = await change("abf");
        for (const name of "abf")
            assert.ok(at(steps, new RegExp(`promote "${name}"`)) < at(steps, /remove member/), steps.join("\n"));
        await assertChangedOneByOne("d", 2);
        await assertNothingLeftToDo();
    });

    it("takes over a learner that somebody added for a declared host, under the id that it was given", async () => {
        const id = await addByHand("a", "g", "--learner");
        await change("abfgc");
        assert.equal(await idOf("a", "g"), id);
        await assertNothingLeftToDo();
    });

    it("takes a learner away that was added and never started, and that nothing declares", async () => {
        const url = "https://10.104.3.99:2380";
        await ask("a", `member add stranger --learner --peer-urls ${url}`);
        const run = await project.mustUp(declared("abfgc"));
        assert.match(stepsOf(run.text).join("\n"), /remove member "https:\/\/10\.104\.3\.99:2380"/);
        await assertNothingLeftToDo();
    });

    it("takes a voter away that was added for a declared host and never started, and has it join as a learner", async () => {
        await change("abf");
        const id = await addByHand("a", "e");
        const steps = await change("abfec");
        assert.ok(at(steps, new RegExp(`remove member "e" \\(${id}\\)`)) < at(steps, /add "e" as a learner/));
        assert.notEqual(await idOf("a", "e"), id);
        await assertNothingLeftToDo();
    });

    it("leaves a voter that nothing declares to whoever added it, and says how to take it away", async () => {
        await ask("a", "member add stranger --peer-urls https://10.104.3.99:2380");
        const run = await project.up(declared("abfec"));
        assert.notEqual(run.code, 0);
        const remedy =
            /the cluster has members that are not declared: "\(never started\) (\w+) https:\/\/10\.104\.3\.99:2380".*etcdctl (member remove \w+)/;
        const [, id, command] = remedy.exec(run.text) ?? [];
        assert.equal(command, `member remove ${id}`, run.text);
        await ask("a", command!);
        await project.mustUp(declared("abfec"));
        await assertNothingLeftToDo();
    });

    describe("and that shrinks", () => {
        const directory = `/var/lib/etcd/${cluster}.snapshots`;
        const snapshots = async (name: string): Promise<readonly string[]> =>
            (await host(name).output(`ls -1 ${directory}/*.db 2>/dev/null || true`)).split("\n").filter(Boolean);

        it("keeps a member whose removal no snapshot could be taken before, and says why", async () => {
            const a = host("a");
            await a.output(`mkdir -p ${directory} && mv ${directory} ${directory}.kept && mkdir ${directory}`);
            await a.output(`mount -t tmpfs -o size=8k tmpfs ${directory}`);
            const full = await project.up(declared("abf"));
            assert.notEqual(full.code, 0);
            assert.match(
                full.text,
                /take a snapshot on "a", then remove member "\w" \(\w+\): .*(No space left|no space left)/,
            );
            assert.deepEqual(await voters(a, cluster), ["a", "b", "c", "e", "f"]);
            assert.deepEqual(await snapshots("a"), []);
            await a.output(`umount ${directory} && rmdir ${directory} && echo > ${directory}`);
            const unwritable = await project.up(declared("abf"));
            assert.notEqual(unwritable.code, 0);
            assert.match(unwritable.text, /take a snapshot on "a".*: .*File exists/);
            assert.deepEqual(await voters(a, cluster), ["a", "b", "c", "e", "f"]);
            await a.output(`rm ${directory} && mv ${directory}.kept ${directory}`);
        });

        it("keeps a snapshot of each time on a host that stays, the last five, each of which holds the data", async () => {
            const before = await snapshots("a");
            const theirs = ["20250101-mine", "a b", "golden", "last", "old", "upgrade"].map((name) => `${name}.db`);
            const ahead = [1, 2, 3, 4, 5].map((second) => `20370101T00000${second}.000Z.db`);
            await host("a").output(
                `cd ${directory} && for file in ${[...theirs, ...ahead].map((name) => `'${name}'`).join(" ")}; do echo > "$file"; done`,
            );
            // What etcd's tools would heed.
            await host("a").output(
                "touch /etc/environment && cp -p /etc/environment /root/environment && printf 'https_proxy=http://127.0.0.1:9\\nETCDCTL_ENDPOINTS=http://127.0.0.1:9\\n' >> /etc/environment",
            );
            const run = await project.mustUp(declared("abf"));
            const kept = told(run.text, cluster).flatMap(
                (line) => /snapshot kept on "a" in (\S+)/.exec(line)?.[1] ?? [],
            );
            assert.equal(kept.length, 2, run.text);
            await change("a");
            await host("a").output("mv /root/environment /etc/environment");
            const found = await snapshots("a");
            const isTheirs = (file: string): boolean => theirs.some((name) => file === `${directory}/${name}`);
            assert.equal(found.filter(isTheirs).length, theirs.length);
            const files = found.filter((file) => !isTheirs(file));
            assert.ok(before.length + 4 > KEPT, `only ${before.length} were there before`);
            assert.equal(files.length, KEPT);
            assert.ok(kept.every((file) => files.includes(file)));
            for (const file of files) {
                const restored = "/root/restored";
                const text = await host("a").output(
                    `etcdutl=$(ls /opt/etcd/*/etcdutl) && rm -rf ${restored} && $etcdutl snapshot status ${file} -w json && ` +
                        `$etcdutl snapshot restore ${file} --data-dir ${restored} 2>/dev/null && grep -aqc greeting ${restored}/member/snap/db && stat -c %a ${file}`,
                );
                const [status = "", mode] = text.trim().split("\n");
                assert.ok((JSON.parse(status) as { totalKey: number }).totalKey > 0, text);
                assert.equal(mode, "600");
            }
        });

        it("is one member at the end, with all that was written", async () => {
            assert.deepEqual(await voters(host("a"), cluster), ["a"]);
            await assertNothingLeftToDo();
        });
    });

    describe("of which one member is left", () => {
        it("is not taken for another cluster that somebody began in its place, at the next run neither", async () => {
            await change("a");
            await ask("a", "put greeting hello");
            const { address } = host("a");
            const data = `/var/lib/etcd/${cluster}`;
            const known = (await project.outputs())[cluster]!.clusterId;
            await ask("a", "snapshot save /root/another.db");
            await host("a").output(
                `systemctl stop etcd-${cluster} && mv ${data}/member /root/member && etcdutl=$(ls /opt/etcd/*/etcdutl) && ` +
                    `$etcdutl snapshot restore /root/another.db --data-dir /root/another --name a --initial-cluster a=https://${address}:2380 ` +
                    `--initial-advertise-peer-urls https://${address}:2380 --initial-cluster-token another 2>/dev/null && ` +
                    `mv /root/another/member ${data}/ && chown -R etcd:etcd ${data} && systemctl start etcd-${cluster}`,
            );
            const before = await startTimes(bed.lab, ["a"], cluster);
            for (const attempt of ["first", "second"]) {
                const run = await project.up(declared("a"));
                assert.notEqual(run.code, 0, attempt);
                assert.match(run.text, new RegExp(`cluster \\w+ answers where ${known} was built`), attempt);
            }
            assert.deepEqual(await startTimes(bed.lab, ["a"], cluster), before);
            await host("a").output(
                `systemctl stop etcd-${cluster} && rm -r ${data}/member && mv /root/member ${data}/ && systemctl start etcd-${cluster}`,
            );
            await project.mustUp(declared("a"));
            await assertNothingLeftToDo();
        });
    });
});
