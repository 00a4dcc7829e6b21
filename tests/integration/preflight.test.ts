import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { openBed, voters, type Bed } from "./fixture";
import { told } from "./moments";
import { Project, type Run } from "./project";
import { slowDisk } from "./slowDisk";
import { watchHosts } from "./untouched";

const cluster = "flight";
const network = "10.108.1";

describe("figures of hosts that are to become members", () => {
    let bed: Bed;
    let project: Project;
    let growth: Run;

    before(async () => {
        bed = await openBed("ve-flight", network, 4, { storage: "disk" });
        project = await Project.open();
        // What every Debian has of Perl (perl-base), and not what a lab host has besides.
        await host("b").output(
            "mv /usr/share/perl /root/perl-share; mv /usr/lib/$(uname -m)-linux-gnu/perl /root/perl-lib",
        );
        await host("a").writeFile(
            "/usr/local/bin/perl",
            '#!/bin/sh\necho x >>/root/runs\nexec /usr/bin/perl "$@"\n',
            0o755,
        );
    });
    after(async () => {
        project?.close();
        await bed?.lab.down();
    });
    diagnoseFailures(() => bed?.lab);

    const host = (name: string) => bed.lab.host(name);
    const declared = (hosts: number | string[], changes: Partial<EtcdClusterArgs> = {}) => ({
        [cluster]: bed.declare(hosts, changes),
    });
    const figures = ({ text }: Run) => told(text, cluster).filter((line) => / GiB free$/.test(line));
    const warnings = ({ text }: Run) => told(text, cluster).filter((line) => line.startsWith("warning: host"));
    /** Of a disk that others keep busy there are some, too. */
    const withoutDisk = (lines: readonly string[], of: RegExp) =>
        lines.filter((line) => !/: a write to /.test(line) || !of.test(line));
    /** How often something was measured on "a". */
    const runs = async () => Number(await host("a").output("cat /root/runs 2>/dev/null | wc -l"));

    const sync = /fsync p99 \d+(\.\d)? ms over \d+ writes?/.source;
    const rest = /clock [+-]0\.\d\d s, \d+(\.\d)? GiB free/.source;
    const trips = (...names: string[]) =>
        `round trip ${names.map((name) => `\\d+(\\.\\d)? ms to "${name}"`).join(", ")}`;
    function assertEach(lines: readonly string[], wanted: readonly string[]): void {
        assert.equal(lines.length, wanted.length, lines.join("\n"));
        for (const [index, pattern] of wanted.entries()) assert.match(lines[index]!, new RegExp(`^${pattern}$`));
    }

    it("are told by a preview, with what is on every Debian, and leave no trace", async () => {
        const isUntouched = await watchHosts(bed.lab);
        const run = await project.preview(declared(3));
        assert.equal(run.code, 0, run.text);
        assertEach(figures(run), [
            `host "a": ${sync}, ${trips("b", "c")}, ${rest}`,
            `host "b": ${sync}, ${trips("a", "c")}, ${rest}`,
            `host "c": ${sync}, ${trips("a", "b")}, ${rest}`,
        ]);
        assert.deepEqual(withoutDisk(warnings(run), /./), []);
        await isUntouched();
    });

    it("are told by up of the hosts that are new to it, with the settings that would help a slow one", async () => {
        await project.mustUp(declared(1));
        const measured = await runs();
        await host("b").delay({ ms: 60 });
        await host("c").setClockOffset(3);
        const endSlowness = slowDisk(host("c"), 50);
        growth = await project.mustUp(declared(3)).finally(endSlowness);
        await host("b").heal();
        await host("c").setClockOffset(0);

        assertEach(figures(growth), [
            `host "b": ${sync}, ${trips("a", "c")}, ${rest}`,
            `host "c": ${sync}, ${trips("a", "b")}, clock \\+[23]\\.\\d\\d s, \\d+(\\.\\d)? GiB free`,
        ]);
        const settings = /tuning: \{ heartbeatInterval: (\d+), electionTimeout: (\d+) \}/.source;
        const slow = (name: string) =>
            `the round trip to "${name}" takes 1[2-9]\\d ms, and leaders are heard of every 100 ms and given up after 1000 ms, wanted are about one round trip and ten: set ${settings}`;
        assertEach(withoutDisk(warnings(growth), /host "b"/), [
            `warning: host "b": ${slow("a")}`,
            `warning: host "b": ${slow("c")}`,
            `warning: host "c": a write to /var/lib takes \\d+(\\.\\d)? ms \\(p99 of \\d+ writes?\\), etcd wants less than 10 ms, .*: choose a faster disk for dataDir, or set ${settings}`,
            `warning: host "c": ${slow("b")}`,
            `warning: host "c": its clock is [23]\\.\\d\\d s ahead of this machine's, and members complain from 1 s on: keep it with NTP`,
        ]);
        assert.deepEqual(await voters(host("a"), cluster), ["a", "b", "c"]);
        assert.equal(await runs(), measured, "a member was measured again");
    });

    it("are taken by nobody when there is nothing to do, nor when a setting is changed to what they advise", async () => {
        const [, heartbeatInterval, electionTimeout] = /heartbeatInterval: (\d+), electionTimeout: (\d+)/.exec(
            growth.text,
        )!;
        const before = await runs();
        const tuning = { heartbeatInterval: Number(heartbeatInterval), electionTimeout: Number(electionTimeout) };
        for (const changes of [{}, { tuning }]) {
            const run = await project.mustUp(declared(3, changes));
            assert.deepEqual([...figures(run), ...warnings(run)], []);
        }
        assert.equal(await runs(), before);
    });

    it("say which member's peer port is out of reach, and what could not be measured", async () => {
        await host("d").partitionFrom([host("a").address]);
        await host("d").output("chmod 0644 /usr/bin/perl*");
        const mute = await project.preview(declared(["b", "c", "d"]));
        assertEach(figures(mute), [`host "d": not all was measured \\(perl is missing\\), ${rest}`]);
        await host("d").output("chmod 0755 /usr/bin/perl*");
        const run = await project.preview(declared(4, { allowEvenSize: true }));
        await host("d").heal();
        assertEach(figures(run), [
            `host "d": ${sync}, round trip none to "a", \\d+(\\.\\d)? ms to "b", \\d+(\\.\\d)? ms to "c", ${rest}`,
        ]);
        assertEach(withoutDisk(warnings(run), /./), [
            'warning: host "d": nothing comes back from "a" on its peer port, .*: see what drops packets between them',
        ]);
    });

    it("are taken of a host that was rebuilt", async () => {
        await host("c").rebuild();
        const run = await project.mustUp(declared(3));
        assertEach(figures(run), [`host "c": ${sync}, ${trips("a", "b")}, ${rest}`]);
        assert.deepEqual(await voters(host("a"), cluster), ["a", "b", "c"]);
    });
});
