import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { EtcdClusterArgs, EtcdHostArgs, InstallSource, SshArgs } from "../../components";
import { succeed } from "../../lab/command";
import { foretoldBy, refusalOf, UNCHANGED } from "./diagnostics";
import { openBed, startTimes, type Bed } from "./fixture";
import { Project, type Run } from "./project";
import { watchHosts } from "./untouched";

const cluster = "bad";

/** A host that something is wrong with, what that is, and what is told of it. */
type Problem = readonly [host: string, what: string, told: RegExp];

interface Refused {
    readonly run: Run;
    readonly preview: Run;
    readonly isUntouched: () => Promise<void>;
}

/**
 * Tests that `up` and its preview tell each of these problems, and nothing besides, and that no host was changed.
 * @param start of what is told of a host, and how many times it is
 */
function tellsEach(
    problems: readonly Problem[],
    refused: () => Refused,
    { start = (name: string) => `host "${name}"`, times = (_name: string): number => 1 } = {},
): void {
    for (const [name, what, wanted] of problems) {
        it(`is told: ${what}`, () => {
            const { run, preview } = refused();
            for (const said of [refusalOf(run), foretoldBy(preview, cluster)]) {
                const lines = said.filter((line) => line.startsWith(start(name)));
                assert.equal(lines.length, times(name), lines.join("\n"));
                for (const line of lines) assert.match(line, wanted);
            }
        });
    }

    it("is all that is said, and changes nothing on any host", async () => {
        const { run, preview, isUntouched } = refused();
        const count = problems.reduce((sum, [name]) => sum + times(name), 0);
        assert.equal(refusalOf(run).length, count + 1);
        assert.equal(refusalOf(run).at(-1), UNCHANGED);
        assert.equal(foretoldBy(preview, cluster).length, count);
        await isUntouched();
    });
}

describe("bad input", () => {
    let bed: Bed;
    let project: Project;
    let network: string;

    before(async () => {
        network = "10.81.1";
        bed = await openBed("it-bad", network, 7);
        project = await Project.open();
    });

    after(async () => {
        project.close();
        await bed.lab.down();
    });

    const host = (name: string) => bed.lab.host(name);
    const address = (name: string) => host(name).address;

    /** Seven hosts, some of which are logged in to otherwise. */
    function sevenHosts(logins: Readonly<Record<string, Partial<SshArgs>>> = {}): EtcdClusterArgs {
        const declared = bed.declare(7);
        const hosts: readonly EtcdHostArgs[] = declared.hosts.map((one) => {
            const ssh = logins[one.name];
            return ssh === undefined ? one : { ...one, ssh };
        });
        return { ...declared, hosts };
    }

    async function isRefused(args: EtcdClusterArgs, ...expected: readonly (string | RegExp)[]): Promise<void> {
        const isUntouched = await watchHosts(bed.lab);
        assertSaid(refusalOf(await project.up({ [cluster]: args })), expected);
        await isUntouched();
    }

    describe("in the program's own values", () => {
        /** What the hosts' SSH servers have noted: every connection leaves a line. */
        const visits = () =>
            Promise.all(bed.lab.hosts.map((one) => one.output("journalctl --unit ssh --output cat | wc -l")));

        it("is told all at once, without a stack, and without asking any host", async () => {
            const before = await visits();
            const good = bed.declare(2);
            await isRefused(
                {
                    ...good,
                    version: "3.9.1",
                    clientPort: 2380,
                    install: { source: "url", url: "ftp://mirror/etcd", sha256: "abc" },
                    hosts: [
                        { name: "a", address: address("a") },
                        { name: "a", address: address("a") },
                        { name: "b c", address: "10.81.1" },
                        { name: "d", address: address("d"), clientPort: 70000 },
                    ],
                },
                'EtcdCluster "bad": 13 problems',
                'version is "3.9.1", wanted is a patch of one of the series 3.4, 3.5, 3.6, 3.7',
                /^install\.url is "ftp:\/\/mirror\/etcd", wanted is an https:\/\/ or http:\/\/ URL/,
                /^install\.sha256 is "abc", wanted is 64 hexadecimal digits/,
                /^hosts\[0\]\.clientPort is 2380, wanted is another port than peerPort's/,
                /^hosts\[1\]\.clientPort is 2380, wanted is another port than peerPort's/,
                /^hosts\[2\]\.name is "b c", wanted is 1 to 63 letters/,
                /^hosts\[2\]\.address is "10\.81\.1", wanted is an IP address/,
                /^hosts\[2\]\.clientPort is 2380/,
                /^hosts\[3\]\.clientPort is 70000, wanted is a whole number from 1024 to 65535/,
                /^hosts\[1\]\.name is "a", wanted is a name that no other host has, and hosts\[0\] has it/,
                /^hosts\[1\]\.address is .*wanted is an address that no other host has, and hosts\[0\] has it/,
                /^hosts is a list of 4, wanted is an odd number of hosts; .*allowEvenSize/,
                /^ssh\.hostKeys\.b c is missing, wanted is the public key of the host.*insecureSkipHostKeyCheck/,
            );
            assert.deepEqual(await visits(), before);
        });

        it("is told for a list without hosts", async () => {
            await isRefused(bed.declare(0), /^EtcdCluster "bad": hosts is \[\], wanted is a list of at least one host/);
        });

        it("is told when two clusters of a program would share a port or a directory of a host", async () => {
            const [first, second] = [
                bed.declare(["g"]),
                bed.declare(["g"], { clientPort: 12379, dataDir: "/srv/etcd/x" }),
            ];
            const run = await project.up({ first: { ...first, dataDir: "/srv/etcd/x" }, second });
            // What is right is done: the engine goes on with what a program declared before it failed.
            const said = refusalOf(run).filter((line) => !line.startsWith("[first]"));
            assertSaid(said, [
                'EtcdCluster "second": 2 problems',
                /^hosts\[0\]\.peerPort is 2380, wanted is a port that cluster "first" does not have on 10\.81\.1\.17$/,
                /^dataDir is "\/srv\/etcd\/x", wanted is a directory that cluster "first" does not have on/,
            ]);
            await project.destroy();
        });
    });

    describe("about the release archive", () => {
        it("is told when there is no such file", async () => {
            await isRefused(
                bed.declare(3, { install: { source: "file", path: "/nowhere.tar.gz", sha256: "0".repeat(64) } }),
                /^install\.path "\/nowhere\.tar\.gz" can't be read \(there is no such file\): give the path/,
                UNCHANGED,
            );
        });

        it("is told when it is another file, in the preview already", async () => {
            const good = bed.declare(3);
            const wrong = bed.declare(3, { install: { ...good.install, sha256: "0".repeat(64) } as never });
            const said = /^install\.path .* has the sha256 [0-9a-f]{64}, wanted is 0{64}: give the right archive/;
            await isRefused(wrong, said, UNCHANGED);
            assertSaid(foretoldBy(await project.preview({ [cluster]: wrong }), cluster), [said]);
        });

        it("is told when it holds another version, in the preview already", async () => {
            const wrong = bed.declare(3, { version: "3.6.15" });
            const said =
                /^install\.path .* holds etcd 3\.\d\.\d+, wanted is 3\.6\.15: give the right archive, or declare version/;
            await isRefused(wrong, said, UNCHANGED);
            assertSaid(foretoldBy(await project.preview({ [cluster]: wrong }), cluster), [said]);
        });

        it("is told when it says nothing about itself and holds another version, and nothing of it is left", async () => {
            const install = await repacked(bed.declare(1).install, project.directory);
            const run = await project.up({ [cluster]: bed.declare(1, { version: "3.6.15", install }) });
            assertSaid(refusalOf(run), [
                "1 error occurred:",
                /^\* host "a": etcd 3\.6\.15 was not installed: the archive holds etcd 3\.\d\.\d+, wanted is 3\.6\.15/,
            ]);
            assert.equal(await host("a").output("ls -A /opt /etc/systemd/system | grep etcd || true"), "");
        });
    });

    describe("about how hosts are logged in to", () => {
        let run: Run;
        let preview: Run;
        let asked: readonly number[];
        let isUntouched: () => Promise<void>;

        before(async () => {
            await host("a").cut();
            await host("g").freeze();
            await host("d").output(
                "useradd --create-home --shell /bin/bash plain; cp -r /root/.ssh /home/plain/; chown -R plain: /home/plain",
            );
            isUntouched = await watchHosts(bed.lab);
            const args = sevenHosts({
                a: { connectTimeoutSeconds: 2 },
                b: { privateKey: await strangeKey(project.directory) },
                c: { hostKeys: { c: host("d").publicHostKey } },
                d: { user: "plain" },
                e: { user: "operator" },
                f: { user: "operator", sudoPassword: "not it" },
                g: { connectTimeoutSeconds: 2 },
            });
            const counts = [await connectionsTo("g")];
            preview = await project.preview({ [cluster]: args });
            counts.push(await connectionsTo("g"));
            run = await project.up({ [cluster]: args });
            counts.push(await connectionsTo("g"));
            asked = [counts[1]! - counts[0]!, counts[2]! - counts[1]!];
        });

        after(async () => {
            await host("g").thaw();
            await host("a").heal();
            await host("d").output("userdel --remove plain 2>/dev/null");
        });

        const problems: readonly Problem[] = [
            ["a", "a host without a network", /root@\S+: can't be reached: .*, or take it off the list$/],
            ["b", "a key that the host does not know", /the login was refused \(tried: private key ssh-ed25519 SHA256/],
            ["c", "another host key", /the host key is ssh-ed25519 SHA256:\S+, expected ssh-ed25519 SHA256:/],
            ["d", "a user who may not become root", /plain@\S+: can't become root: .*sudo/],
            ["e", "a sudo password that is missing", /sudo wants a password; give sudoPassword, or allow/],
            ["f", "a wrong sudo password", /sudo does not accept sudoPassword; give the user's password/],
            ["g", "a host that is silent", /root@\S+: can't be reached: .* within 2 s.*, or take it off the list$/],
        ];
        tellsEach(problems, () => ({ run, preview, isUntouched }));

        it("is found out by waiting for a silent host once a run", () => {
            assert.deepEqual(asked, [1, 1]);
        });

        /** How many TCP connections the host's kernel has accepted; that goes on while its programs are stopped. */
        async function connectionsTo(name: string): Promise<number> {
            const [names, values] = (await host(name).output("grep ^Tcp: /proc/net/snmp")).trim().split("\n");
            const column = names!.split(" ").indexOf("PassiveOpens");
            return Number(values!.split(" ")[column]);
        }
    });

    describe("about what hosts are like", () => {
        let run: Run;
        let preview: Run;
        let isUntouched: () => Promise<void>;

        before(async () => {
            await listen("a", 2379);
            await listen("b", 2380);
            // `date` is made to lie: all hosts of this machine share one clock.
            await host("c").setClockOffset(-300);
            await host("d").output("mkdir -p /var/lib/etcd && mount -t tmpfs -o size=100m none /var/lib/etcd");
            await host("e").output("mv /usr/sbin/nft /usr/sbin/nft.hidden");
            await host("f").output("mv /run/systemd/system /run/systemd/system.hidden");
            // No lab host runs another system: one says that it does.
            await host("g").writeFile("/usr/local/bin/uname", "#!/bin/sh\necho OpenBSD\n", 0o755);
            isUntouched = await watchHosts(bed.lab);
            preview = await project.preview({ [cluster]: sevenHosts() });
            run = await project.up({ [cluster]: sevenHosts() });
        });

        after(async () => {
            await host("a").output("systemctl stop squatter");
            await host("b").output("systemctl stop squatter");
            await host("c").setClockOffset(0);
            await host("d").output("umount /var/lib/etcd; rmdir /var/lib/etcd");
            await host("e").output("mv /usr/sbin/nft.hidden /usr/sbin/nft");
            await host("f").output("mv /run/systemd/system.hidden /run/systemd/system");
            await host("g").output("rm /usr/local/bin/uname");
        });

        const problems: readonly Problem[] = [
            [
                "a",
                "a client port that is taken",
                /port 2379 is taken by perl \(process \d+\), which listens on 0\.0\.0\.0/,
            ],
            ["b", "a peer port that is taken", /port 2380 is taken by perl \(process \d+\)/],
            [
                "c",
                "a clock that is off",
                /its clock is (299|300|301) s behind this machine's, at most 20 s are allowed/,
            ],
            [
                "d",
                "a disk that is nearly full",
                /\/var\/lib\/etcd has (99|100) MiB free, 512 MiB are wanted: make room/,
            ],
            ["e", "no nft", /nft is missing: install nftables, or set firewall: false/],
            ["f", "no systemd", /systemd does not run on it/],
            ["g", "an unknown system", /it runs OpenBSD, wanted is Linux with systemd/],
        ];
        tellsEach(problems, () => ({ run, preview, isUntouched }), {
            start: (name) => `host "${name}" (${address(name)}): `,
        });
    });

    describe("about what hosts already hold", () => {
        /** Another stack, with clusters of its own: one has our cluster's name on "b", one our ports on "g". */
        let neighbour: Project;
        let run: Run;
        let preview: Run;
        let isUntouched: () => Promise<void>;
        const theirs = () => ({
            [cluster]: bed.declare(["b"], { clusterToken: "theirs" }),
            other: bed.declare(["g"]),
        });

        before(async () => {
            neighbour = await Project.open({ stack: "neighbour" });
            await neighbour.mustUp(theirs());
            await host("g").output("systemctl stop etcd-other");
            await runByHand("a");
            await host("c").writeFile(
                `/etc/systemd/system/etcd-${cluster}.service`,
                "[Service]\nExecStart=/bin/true\n",
            );
            await host("d").writeFile(`/var/lib/etcd/${cluster}/index.html`, "somebody's\n");
            await host("e").output("systemctl stop ssh.socket ssh.service");
            await host("f").output("mv /usr/bin/flock /usr/bin/flock.hidden");
            isUntouched = await watchHosts(bed.lab);
            preview = await project.preview({ [cluster]: sevenHosts() });
            run = await project.up({ [cluster]: sevenHosts() });
        });

        after(async () => {
            await host("e").output("systemctl start ssh.service");
            await host("f").output("mv /usr/bin/flock.hidden /usr/bin/flock");
            neighbour.close();
        });

        const problems: readonly Problem[] = [
            [
                "a",
                "data of an etcd that was started by hand",
                /holds etcd data, and nothing on the host says that it is/,
            ],
            [
                "b",
                "data of a cluster with another token",
                /belongs to the cluster with the token "theirs", declared is/,
            ],
            ["c", "a unit of somebody else's", /etcd-bad\.service is there and was not made by pulumi-etcd: remove it/],
            ["d", "a data directory that is in use", /\/var\/lib\/etcd\/bad holds index\.html, wanted is an empty/],
            ["e", "an SSH server that is off", /root@\S+: nothing listens on port 22; .*, or take it off the list$/],
            ["f", "a program that is missing", /the program flock is missing: install util-linux/],
            ["g", "ports of another cluster that is stopped", /port 23(79|80) belongs to the cluster "other"/],
        ];
        // A cluster has two ports.
        tellsEach(problems, () => ({ run, preview, isUntouched }), { times: (name) => (name === "g" ? 2 : 1) });

        it("is told to whoever changes the token of a cluster that runs, and it runs on", async () => {
            const before = await startTimes(bed.lab, ["b"], cluster);
            const changed = { ...theirs(), [cluster]: bed.declare(["b"], { clusterToken: "changed" }) };
            const preview = await neighbour.preview(changed);
            const run = await neighbour.up(changed);
            const said =
                /belongs to the cluster with the token "theirs", declared is "changed".*set clusterToken to "theirs"/;
            assertSaid(foretoldBy(preview, cluster), [said]);
            assertSaid(refusalOf(run), [said, UNCHANGED]);
            assert.deepEqual(await startTimes(bed.lab, ["b"], cluster), before);
            assert.equal((await host("b").output(`systemctl is-active etcd-${cluster}`)).trim(), "active");
            await neighbour.mustUp(theirs());
            assert.deepEqual(await startTimes(bed.lab, ["b"], cluster), before);
        });

        it("is told to whoever changes the data directory of a cluster, though its member is stopped, and it keeps its data", async () => {
            const b = host("b");
            const held = `ls -di /var/lib/etcd/${cluster}/member && cat /etc/etcd/${cluster}/identity`;
            await b.output(`systemctl stop etcd-${cluster}`);
            const before = await b.output(held);
            const changed = {
                ...theirs(),
                [cluster]: bed.declare(["b"], { clusterToken: "theirs", dataDir: "/var/lib/etcd/elsewhere" }),
            };
            const said =
                /its member has its data in \/var\/lib\/etcd\/bad, declared is \/var\/lib\/etcd\/elsewhere.*set dataDir to "\/var\/lib\/etcd\/bad"/;
            assertSaid(foretoldBy(await neighbour.preview(changed), cluster), [said]);
            assertSaid(refusalOf(await neighbour.up(changed)), [said, UNCHANGED]);
            assert.equal(await b.output(held), before);
            await neighbour.mustUp(theirs());
            assert.equal(await b.output(held), before);
        });

        it("is told by a destroy that can't remove everything, which then goes on where it ended", async () => {
            await host("b").output(`mount --bind /etc/etcd/${cluster}/pki /etc/etcd/${cluster}/pki`);
            const said = refusalOf(await neighbour.destroy());
            for (const line of [
                /^etcd was not removed everywhere; run pulumi destroy again$/,
                /^host "b": root@\S+: remove etcd: failed with exit code 1: rm: cannot remove .*busy$/,
                /^\[bad\] not everything was removed: see the resource's own error$/,
            ])
                assert.ok(
                    said.some((one) => line.test(one)),
                    `${String(line)} is not in:\n${said.join("\n")}`,
                );
            await host("b").output(`umount /etc/etcd/${cluster}/pki`);
            const gone = await neighbour.destroy();
            assert.equal(gone.code, 0, gone.text);
            for (const name of ["b", "g"])
                assert.equal(await host(name).output("ls -d /etc/etcd /opt/etcd 2>/dev/null; pgrep -a etcd; true"), "");
        });
    });

    /** Runs etcd without this package, in the place that the cluster is to have, and stops it. */
    async function runByHand(name: string): Promise<void> {
        const { install } = bed.declare(1);
        if (install.source !== "file") throw new Error("the bed installs from a file");
        await host(name).writeFile("/root/etcd.tar.gz", await readFile(install.path));
        await host(name).output(`
            set -e
            cd /root && tar -xf etcd.tar.gz --strip-components=1
            systemd-run --quiet --unit handmade /root/etcd --data-dir /var/lib/etcd/${cluster}
            until /root/etcdctl endpoint health >/dev/null 2>&1; do sleep 0.1; done
            /root/etcdctl put whose theirs
            systemctl stop handmade`);
    }

    /** A process that has nothing to do with etcd takes a port. */
    async function listen(name: string, port: number): Promise<void> {
        const program = `use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => ${port}, Listen => 5, ReuseAddr => 1) or die; sleep`;
        await host(name).output(
            `systemd-run --quiet --unit squatter perl -e '${program}' && until ss -Hltn 'sport = :${port}' | grep -q .; do sleep 0.05; done`,
        );
    }
});

/** Line by line. */
function assertSaid(lines: readonly string[], expected: readonly (string | RegExp)[]): void {
    assert.equal(lines.length, expected.length, lines.join("\n"));
    for (const [index, wanted] of expected.entries()) {
        if (typeof wanted === "string") assert.equal(lines[index], wanted);
        else assert.match(lines[index]!, wanted);
    }
}

/** A private key that no host knows. */
async function strangeKey(directory: string): Promise<string> {
    const file = join(directory, "strange");
    await succeed("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
    return readFile(file, "utf8");
}

/** The same binaries in an archive of one's own making. */
async function repacked(install: InstallSource, directory: string): Promise<InstallSource> {
    if (install.source !== "file") throw new Error("the bed installs from a file");
    const path = join(directory, "own.tar.gz");
    await succeed("sh", [
        "-euc",
        'mkdir "$1/own" && tar -xf "$2" -C "$1/own" --strip-components=1 && tar -czf "$3" -C "$1" own',
        "sh",
        directory,
        install.path,
        path,
    ]);
    const sha256 = createHash("sha256")
        .update(await readFile(path))
        .digest("hex");
    return { source: "file", path, sha256 };
}
