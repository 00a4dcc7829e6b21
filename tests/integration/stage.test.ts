import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { parsePeers, renderPeers } from "../../components/host/firewall";
import { releaseDir, renderInstall } from "../../components/host/install";
import { hostPaths } from "../../components/host/paths";
import type { HostCertificates, HostSettings } from "../../components/host/settings";
import { renderStage } from "../../components/host/stage";
import { openLab, type Lab, type LabHost } from "../../lab";
import { releaseArchive, type Release } from "../../lab/release";
import { certificates as texts } from "../unit/host/settings";
import { certificatesFor, runStage, settingsFor, stageOn, startMember } from "./stageBed";

/** Where staging puts things: everything there, with the time of each file's last change. */
function everything(host: LabHost): Promise<string> {
    return host.output(
        "find /etc/etcd /var/lib/etcd /etc/systemd/system -printf '%m %u:%g %C@ %l %p\\n' | grep -v ' /etc/etcd/[a-z]*/generations' | sort; nft list ruleset; " +
            "systemctl show --property ActiveEnterTimestampMonotonic etcd-tools-firewall",
    );
}

describe("staging", function () {
    this.timeout(120_000);
    let lab: Lab | undefined;
    let a: LabHost;
    let b: LabHost;

    before(async () => {
        lab = await openLab({
            environment: "stage",
            hosts: [
                { name: "a", address: "10.96.1.11" },
                { name: "b", address: "10.96.1.12" },
            ],
        });
        [a, b] = [lab.host("a"), lab.host("b")];
    });
    after(() => lab?.down());

    describe("a new host", () => {
        beforeEach(() => a.rebuild());

        it("gives each file the owner and mode that CIS asks for", async () => {
            const { generation } = await stageOn(a, settingsFor(a, "tools"), texts);
            const found = await a.output(
                "cd /etc/etcd/tools; find . /var/lib/etcd/tools -printf '%m %u:%g %p\\n' | sort -k3",
            );
            assert.deepEqual(found.trim().split("\n"), [
                "750 root:etcd .",
                "700 root:root ./as-staged",
                "600 root:root ./as-staged/etcd-tools-firewall.service",
                "600 root:root ./as-staged/etcd-tools.conf",
                "600 root:root ./as-staged/etcd.env",
                "600 root:root ./as-staged/etcd.service",
                "600 root:root ./as-staged/firewall.nft",
                "640 root:etcd ./firewall.nft",
                "750 root:etcd ./generations",
                `750 root:etcd ./generations/${generation}`,
                `600 etcd:etcd ./generations/${generation}/client-ca.crt`,
                `640 root:etcd ./generations/${generation}/etcd.env`,
                `640 root:etcd ./generations/${generation}/etcd.service`,
                `600 etcd:etcd ./generations/${generation}/peer-ca.crt`,
                "640 root:etcd ./managed",
                "600 root:root ./manifest",
                "640 root:etcd ./peers.nft",
                "750 root:etcd ./pki",
                "600 etcd:etcd ./pki/peer.crt",
                "600 etcd:etcd ./pki/peer.key",
                "600 etcd:etcd ./pki/server.crt",
                "600 etcd:etcd ./pki/server.key",
                "640 root:etcd ./staged",
                "700 etcd:etcd /var/lib/etcd/tools",
            ]);
            assert.equal(await a.readFile("/etc/etcd/tools/staged"), `${generation}\n`);
            assert.match(await a.output("getent passwd etcd"), /:\/var\/lib\/etcd:\/usr\/sbin\/nologin$/m);
        });

        it("takes a file system that was mounted for the data, and refuses a directory that etcd can't reach", async () => {
            const mounted = settingsFor(a, "tools", { paths: hostPaths("tools", "/srv/etcd/tools") });
            await a.output("mkdir -p /srv/etcd/tools/lost+found");
            await stageOn(a, mounted, texts);
            assert.equal(await a.output("stat -c '%a %U:%G' /srv/etcd/tools"), "700 etcd:etcd\n");

            await a.output("mkdir -m 0700 /srv/closed");
            const closed = settingsFor(a, "other", { paths: hostPaths("other", "/srv/closed/other") });
            const { code, stderr } = await runStage(a, renderStage(closed, texts));
            assert.equal(code, 1);
            assert.match(stderr, /^the user etcd can't write to \/srv\/closed\/other: let it enter \/srv\/closed,/);
        });

        it("keeps the data within etcd's reach when Debian's package closes /var/lib/etcd", async () => {
            await stageOn(a, settingsFor(a, "tools"), texts);
            await a.output(
                "chmod 700 /var/lib/etcd; setpriv --reuid etcd --regid etcd --clear-groups ls /var/lib/etcd/tools",
            );
        });

        it("does not start, enable or even install etcd's unit", async () => {
            await stageOn(a, settingsFor(a, "tools"), texts);
            assert.equal((await a.run("systemctl cat etcd-tools.service")).code, 1);
            assert.equal((await a.run("ls /etc/etcd/tools/current /etc/etcd/tools/membership.env")).code, 2);
        });

        it("changes nothing the second time", async () => {
            await stageOn(a, settingsFor(a, "tools"), texts);
            const before = await everything(a);
            await stageOn(a, settingsFor(a, "tools"), texts);
            assert.equal(await everything(a), before);
        });

        it("ends well however often it was cut off", async () => {
            const stage = renderStage(settingsFor(a, "tools", { clientAddresses: ["10.0.0.0/8"] }), texts);
            for (let milliseconds = 5; milliseconds < 500; milliseconds += 5 + Math.floor(milliseconds / 10)) {
                await a.run(`timeout -s KILL ${milliseconds / 1000} sh`, { stdin: stage.script });
            }
            assert.deepEqual(await runStage(a, stage), { stdout: "", stderr: "", code: 0 });
            assert.match(await a.output("nft list set inet etcd_tools clients4"), /10\.0\.0\.0\/8/);
            const left = await a.output("find /etc/etcd /etc/systemd/system -name '*.new'");
            assert.equal(left, "");
            const files = await a.output(
                `cd /etc/etcd/tools; cat staged; ls generations/${stage.generation}; cat pki/*; systemctl is-enabled etcd-tools-firewall`,
            );
            assert.equal(
                files,
                `${stage.generation}\nclient-ca.crt\netcd.env\netcd.service\npeer-ca.crt\npeer certificate\npeer key\nserver certificate\nserver key\nenabled\n`,
            );
        });

        it("works for several clusters side by side, at the same time", async () => {
            const clusters = ["one", "two", "three"].map((name, index) => ({
                ...settingsFor(a, name, { clientPort: 2379 + 10 * index, peerPort: 2380 + 10 * index }),
            }));
            await Promise.all(clusters.map((settings) => stageOn(a, settings, texts)));
            const tables = await a.output("nft list tables");
            for (const table of ["etcd_one", "etcd_two", "etcd_three"])
                assert.match(tables, new RegExp(`inet ${table}\\b`));
            assert.equal(await a.output("ls /etc/etcd"), "one\nthree\ntwo\n");
            assert.equal(
                (await a.output("systemctl is-active etcd-one-firewall etcd-two-firewall etcd-three-firewall")).trim(),
                "active\nactive\nactive",
            );
        });
    });

    describe("a host that is staged", () => {
        const settings = (changes: Partial<HostSettings> = {}) => settingsFor(a, "tools", changes);

        before(async () => {
            await a.rebuild();
            await stageOn(a, settings(), texts);
        });

        it("lays a new generation beside the old ones and keeps the last five, what starts next, and what runs", async () => {
            const generations: string[] = [];
            for (let snapshotCount = 1; snapshotCount <= 10; snapshotCount++) {
                const stage = await stageOn(a, settings({ tuning: { snapshotCount } }), texts);
                generations.push(stage.generation);
                if (snapshotCount === 1)
                    await a.output(`ln -s generations/${stage.generation} /etc/etcd/tools/current`);
                if (snapshotCount === 2)
                    await a.output(`mkdir /run/etcd-tools; echo ${stage.generation} >/run/etcd-tools/generation`);
            }
            const kept = (await a.output("ls /etc/etcd/tools/generations")).trim().split("\n");
            assert.deepEqual(kept.sort(), [...generations.slice(0, 2), ...generations.slice(-6)].sort());
            assert.equal((await a.output("readlink /etc/etcd/tools/current")).trim(), `generations/${generations[0]}`);
            await a.output("rm -r /etc/etcd/tools/current /run/etcd-tools");
        });

        it("takes a renewed certificate without a new generation", async () => {
            const before = await stageOn(a, settings(), texts);
            const after = await stageOn(a, settings(), { ...texts, serverCert: "renewed\n" });
            assert.equal(after.generation, before.generation);
            assert.equal(await a.readFile("/etc/etcd/tools/pki/server.crt"), "renewed\n");
        });

        it("puts back what somebody changed by hand", async () => {
            const stage = await stageOn(a, settings(), texts);
            await a.output(
                `cd /etc/etcd/tools; chmod 644 pki/server.key; chown root pki/peer.key; echo x >>generations/${stage.generation}/etcd.env; ` +
                    "nft delete table inet etcd_tools; systemctl disable --quiet etcd-tools-firewall; chmod 777 pki",
            );
            await stageOn(a, settings(), texts);
            const found = await a.output(
                "cd /etc/etcd/tools; stat -c '%a %U' pki pki/server.key pki/peer.key; grep -c x$ generations/*/etcd.env | grep -v :0; systemctl is-enabled etcd-tools-firewall; nft list tables",
            );
            assert.equal(found, "750 root\n600 etcd\n600 etcd\nenabled\ntable inet etcd_tools\n");
        });

        it("keeps the peers that membership let in", async () => {
            await a.writeFile("/etc/etcd/tools/peers.nft", renderPeers(["10.96.1.12"]));
            await stageOn(a, settings({ clientAddresses: ["10.96.1.99"] }), texts);
            assert.match(await a.output("nft list set inet etcd_tools peers4"), /10\.96\.1\.12/);
            assert.match(await a.output("nft list set inet etcd_tools clients4"), /10\.96\.1\.99/);
        });

        it("keeps the old firewall when nft does not take the new one", async () => {
            const before = await everything(a);
            const { code, stderr } = await runStage(
                a,
                renderStage(settings({ clientAddresses: ["10.0.0.0/99"] }), texts),
            );
            assert.equal(code, 1);
            assert.match(
                stderr,
                /^the firewall table was refused by nft: .*\nnext: nft --check --file \/run\/etcd-tools-firewall\.try on a \(10\.96\.1\.11\), then pulumi up\n$/,
            );
            assert.equal((await a.run("nft --check --file /run/etcd-tools-firewall.try")).code, 1);
            assert.equal(await everything(a), before);
            await stageOn(a, settings(), texts);
        });

        it("lets everybody in when the firewall is switched off, and keeps its unit for what still asks for it", async () => {
            await stageOn(a, settings({ firewall: false }), texts);
            assert.equal(await a.output("nft list tables"), "");
            assert.equal(
                (await a.output("systemctl is-active etcd-tools-firewall; ls -d /run/etcd-tools-firewall")).trim(),
                "active\n/run/etcd-tools-firewall",
            );
            await stageOn(a, settings(), texts);
            assert.equal(await a.output("nft list tables"), "table inet etcd_tools\n");
        });

        it("lets the declared hosts in when the firewall is switched on, and whom its member was told of, until membership says whom", async () => {
            const root = "/etc/etcd/tools";
            await stageOn(a, settings({ firewall: false }), texts);
            assert.equal((await a.run(`test -e ${root}/peers.nft`)).code, 1, "an old list would come back");
            const told =
                "a=https://10.96.1.11:2380,x-1=http://10.96.1.77:2380,y=https://[fd00::7]:2380,z=https://ab.cd:1";
            await a.writeFile(
                `${root}/membership.env`,
                `# x\nETCD_INITIAL_CLUSTER=${told}\nETCD_INITIAL_CLUSTER_STATE=new\n`,
            );
            await stageOn(a, settings({ peers: ["10.96.1.11", "10.96.1.12"] }), texts);
            const sets = await a.output("nft list set inet etcd_tools peers4; nft list set inet etcd_tools peers6");
            assert.deepEqual(sets.match(/10\.\S+\d|fd00\S*\d/g), ["10.96.1.11", "10.96.1.12", "10.96.1.77", "fd00::7"]);
            assert.deepEqual(parsePeers(await a.readFile(`${root}/peers.nft`)), []);
            await a.output(`rm ${root}/membership.env`);
        });

        it("loads a firewall whose reload failed, at the next run", async () => {
            const place = "/run/systemd/system/etcd-tools-firewall.service.d";
            const changed = settings({ clientAddresses: ["10.96.1.98"] });
            for (const [wanted, shown] of [
                [changed, /10\.96\.1\.98/],
                [settings({ firewall: false }), /^$/],
            ] as const) {
                await stageOn(a, settings(), texts);
                await a.output(
                    `mkdir -p ${place}; printf '[Service]\\nExecReload=\\nExecReload=/bin/false\\n' >${place}/fails.conf; systemctl daemon-reload`,
                );
                const { code } = await runStage(a, renderStage(wanted, texts));
                await a.output(`rm -r ${place}; systemctl daemon-reload`);
                assert.equal(code, 1);
                await stageOn(a, wanted, texts);
                assert.match((await a.output("nft list ruleset")).trim(), shown);
            }
        });

        it("has systemd read units that a run which was cut off has changed", async () => {
            const unit = "etcd-tools-firewall.service";
            await stageOn(a, settings(), texts);
            await a.output(
                `cd /etc/systemd/system; cp ${unit} /root/; sed -i s/^Description=.*/Description=old/ ${unit}; systemctl daemon-reload; ` +
                    `cp /root/${unit} ${unit}; : >/run/pulumi-etcd-staging-tools`,
            );
            await stageOn(a, settings(), texts);
            assert.doesNotMatch(await a.output(`systemctl show --value --property Description ${unit}`), /old/);
        });

        const refusals: readonly (readonly [what: string, arrange: string, undo: string, told: RegExp])[] = [
            [
                "a unit of that name that is not ours",
                "echo '[Unit]' >/etc/systemd/system/etcd-tools.service",
                "rm /etc/systemd/system/etcd-tools.service",
                /^\/etc\/systemd\/system\/etcd-tools\.service exists and is not pulumi-etcd's: remove it, or give the cluster another name\n/,
            ],
            [
                "a firewall unit of that name that is not ours",
                "cd /etc/systemd/system; mv etcd-tools-firewall.service /root/; echo '[Unit]' >etcd-tools-firewall.service",
                "mv /root/etcd-tools-firewall.service /etc/systemd/system/",
                /etcd-tools-firewall\.service exists and is not pulumi-etcd's/,
            ],
            [
                "a directory that is not ours",
                "mv /etc/etcd/tools /root/; mkdir /etc/etcd/tools; echo x >/etc/etcd/tools/etcd.conf",
                "rm -r /etc/etcd/tools; mv /root/tools /etc/etcd/",
                /^\/etc\/etcd\/tools holds files that are not pulumi-etcd's/,
            ],
            [
                "a file in the directory's place",
                "mv /etc/etcd/tools /root/; echo x >/etc/etcd/tools",
                "rm /etc/etcd/tools; mv /root/tools /etc/etcd/",
                /^\/etc\/etcd\/tools exists and is no directory/,
            ],
            [
                "a cluster of the same name with another token",
                "sed -i 2s/.*/tools.production/ /etc/etcd/tools/managed",
                "sed -i 2s/.*/tools.test/ /etc/etcd/tools/managed",
                /belongs to the cluster with the token tools\.production, wanted is tools\.test/,
            ],
            [
                "a host without nft",
                "mv /usr/sbin/nft /root/",
                "mv /root/nft /usr/sbin/",
                /nft is missing on this host: install nftables/,
            ],
        ];
        for (const [what, arrange, undo, told] of refusals) {
            it(`refuses ${what}, and changes nothing`, async () => {
                await a.output(arrange);
                const before = await a.output("find /etc/etcd /etc/systemd/system -printf '%C@ %p\\n' | sort");
                const { code, stderr } = await runStage(
                    a,
                    renderStage(settings({ tuning: { snapshotCount: 77 } }), texts),
                );
                const after = await a.output("find /etc/etcd /etc/systemd/system -printf '%C@ %p\\n' | sort");
                await a.output(undo);
                assert.equal(code, 1);
                assert.match(stderr, told);
                assert.deepEqual(stderr.trim().split("\n").slice(1), ["next: once that is done, pulumi up"]);
                assert.equal(after, before);
            });
        }
    });

    describe("a member on what is staged", () => {
        let release: Release;
        let settings: HostSettings;

        const install = async (version: string): Promise<Release> => {
            const archive = await releaseArchive(version);
            const source = { source: "file", path: archive.path, sha256: archive.sha256 } as const;
            await a.writeFile("/root/install.sh", renderInstall(source, archive.version));
            await a.output("sh /root/install.sh", { stdin: readFileSync(archive.path) });
            return archive;
        };
        const directoryOf = ({ path, sha256, version }: Release) =>
            releaseDir({ source: "file", path, sha256 }, version);

        before(async () => {
            await a.rebuild();
            release = await install("3.6");
            settings = settingsFor(a, "tools", {
                version: release.version,
                releaseDir: directoryOf(release),
                clientAddresses: [],
            });
            const stage = await stageOn(a, settings, await certificatesFor(a, settings));
            await startMember(a, settings, stage);
        });

        const reached = async () => [await b.connect(a.address, 2380), await b.connect(a.address, 2379)];
        const letIn = async (peers: readonly string[]) => {
            await a.writeFile("/etc/etcd/tools/peers.nft", renderPeers(peers));
            await a.output("systemctl reload etcd-tools-firewall");
        };
        it("notes which generation runs", async () => {
            assert.equal(
                await a.output("cat /run/etcd-tools/generation"),
                await a.output("cat /etc/etcd/tools/staged"),
            );
        });

        it("is exposed at most 2.0 by systemd's own measure", async () => {
            const told = await a.output("systemd-analyze security --no-pager etcd-tools.service | tail -n 1");
            const score = Number(/([\d.]+) OK/.exec(told)?.[1]);
            assert.ok(score <= 2, told);
        });

        describe("over TLS", () => {
            const pki = "/root/pki-tools";
            /** The HTTP status that a call to a port gets, or why it gets none. */
            const call = async (port: number, certificate: string, authority: string) => {
                const identity = certificate === "" ? "" : `--cert ${pki}/${certificate}.crt --key ${pki}/member.key`;
                const url = `https://${a.address}:${port}/version`;
                return (
                    await a.run(
                        `curl -sS -o /dev/null -w '%{http_code}' --http1.1 --cacert ${pki}/${authority}.crt ${identity} ${url}`,
                    )
                ).stdout;
            };

            it("serves clients with a certificate of the clients' authority only", async () => {
                assert.equal(await call(2379, "server", "client-ca"), "200");
                assert.equal(await call(2379, "", "client-ca"), "000");
                assert.equal(await call(2379, "peer", "client-ca"), "000");
            });

            it("serves peers with a certificate of the peers' authority and the peers' common name only", async () => {
                assert.equal(await call(2380, "peer", "peer-ca"), "200");
                assert.equal(await call(2380, "", "peer-ca"), "000");
                assert.equal(await call(2380, "server", "peer-ca"), "000");
                await a.output(
                    `cd ${pki}; openssl req -new -key member.key -subj /CN=other -out other.csr; ` +
                        "openssl x509 -req -in other.csr -CA peer-ca.crt -CAkey peer-ca.key -CAcreateserial -days 1 -extfile extensions -out other.crt",
                );
                assert.equal(await call(2380, "other", "peer-ca"), "000");
            });

            it("speaks TLS 1.2 and 1.3 and nothing older, on both ports", async () => {
                for (const [port, certificate] of [
                    [2379, "server"],
                    [2380, "peer"],
                ] as const) {
                    const speak = async (version: string) =>
                        a.run(
                            `openssl s_client -connect ${a.address}:${port} -${version} -cipher DEFAULT@SECLEVEL=0 -cert ${pki}/${certificate}.crt -key ${pki}/member.key </dev/null 2>&1`,
                        );
                    assert.match((await speak("tls1_1")).stdout, /alert protocol version/);
                    assert.equal((await speak("tls1_2")).code, 0);
                    assert.equal((await speak("tls1_3")).code, 0);
                }
            });
        });

        it("lets in members to both ports, clients to one, and nobody else; before and after a reboot", async () => {
            assert.deepEqual(await reached(), [false, false]);
            await letIn([b.address]);
            assert.deepEqual(await reached(), [true, true]);
            await a.reboot();
            await a.output("systemctl start etcd-tools");
            assert.deepEqual(await reached(), [true, true]);
            await letIn([]);
            assert.deepEqual(await reached(), [false, false]);
            await stageOn(a, { ...settings, clientAddresses: ["10.96.1.0/28"] }, await certificatesOnHost(a));
            assert.deepEqual(await reached(), [false, true]);
            await a.reboot();
            await a.output("systemctl start etcd-tools");
            assert.deepEqual(await reached(), [false, true]);
            assert.equal(await a.connect(a.address, 2380), true);
        });

        it("goes on while the firewall is staged, reloaded or restarted, and the host's own nftables service too", async () => {
            const pid = () => a.output("systemctl show --value --property MainPID etcd-tools");
            const before = await pid();
            await stageOn(a, { ...settings, clientAddresses: [b.address] }, await certificatesOnHost(a));
            const services = ["etcd-tools-firewall", "nftables"];
            const commands = ["reload etcd-tools-firewall", "restart etcd-tools-firewall"];
            // Debian's own service flushes all tables, each time.
            for (const action of ["stop", "start", "reload", "restart", "stop", "restart"])
                commands.push(`${action} nftables`);
            for (const command of commands) {
                await a.output(`systemctl ${command}`);
                assert.match(await a.output("nft list table inet etcd_tools"), /reject with tcp reset/, command);
                assert.deepEqual(await reached(), [false, true], command);
            }
            assert.equal(await a.output(`systemctl is-active ${services.join(" ")}`), "active\nactive\n");
            assert.equal(await pid(), before);
        });

        it("does not start on a host whose firewall can't be loaded", async () => {
            await a.output(
                "systemctl stop etcd-tools; mv /etc/etcd/tools/firewall.nft /root/; systemctl stop etcd-tools-firewall",
            );
            const { code, stderr } = await a.run("systemctl start etcd-tools");
            await a.output("mv /root/firewall.nft /etc/etcd/tools/; systemctl start etcd-tools");
            assert.equal(code, 1);
            assert.match(stderr, /Assertion failed/);
        });

        it("does not start before membership has said what cluster it belongs to", async () => {
            await a.output(
                "systemctl stop etcd-tools; mv /etc/etcd/tools/membership.env /root/; systemctl start etcd-tools",
            );
            const state = await a.output("systemctl is-active etcd-tools || :");
            await a.output("mv /root/membership.env /etc/etcd/tools/; systemctl start etcd-tools");
            assert.equal(state, "inactive\n");
        });

        it("does not start without its data, as it would forget what it voted for", async () => {
            const data = "/var/lib/etcd/tools";
            assert.equal((await a.run("test -e /etc/etcd/tools/may-start-empty")).code, 1);
            await a.output(
                `systemctl stop etcd-tools; mv ${data}/member /root/; systemctl start etcd-tools --no-block`,
            );
            const said = "there is no etcd data in /var/lib/etcd/tools";
            await a.output(`until journalctl -u etcd-tools -o cat | grep -qF '${said}'; do sleep 0.1; done`);
            assert.equal(await a.output(`ls -A ${data}`), "");
            await a.output(`systemctl stop etcd-tools; mv /root/member ${data}/; systemctl start etcd-tools`);
        });

        for (const minor of ["3.5", "3.6", "3.7"]) {
            it(`understands all that ${minor} is told`, async () => {
                const archive = await install(minor);
                const cluster = `v${minor.replace(".", "")}`;
                const port = 3000 + Number(minor.replace(".", "")) * 10;
                const own = settingsFor(a, cluster, {
                    version: archive.version,
                    releaseDir: directoryOf(archive),
                    clientPort: port,
                    peerPort: port + 1,
                    tuning: {
                        heartbeatInterval: 120,
                        electionTimeout: 1200,
                        snapshotCount: 5000,
                        quotaBackendBytes: 4_294_967_296,
                        maxRequestBytes: 1_000_000,
                        maxTxnOps: 200,
                        // 3.6 calls it deprecated.
                        ...(minor === "3.5" && { maxSnapshots: 3 }),
                        maxWals: 4,
                        autoCompactionMode: "periodic",
                        autoCompactionRetention: "10m",
                    },
                });
                const stage = await stageOn(a, own, await certificatesFor(a, own));
                await startMember(a, own, stage);
                await assertGatewayWorks(a, own);
                assertUnderstood(
                    await a.output(`journalctl -u etcd-${cluster} -o cat --no-pager`),
                    await a.output(`grep -c ^ETCD_ /etc/etcd/${cluster}/current/etcd.env`),
                );
            });
        }
    });

    it("runs Debian's own etcd, which understands all it is told", async () => {
        await a.rebuild();
        await a.output("sh", { stdin: renderInstall({ source: "debian" }, "3.4.23"), timeoutSeconds: 100 });
        const own = settingsFor(a, "debian", { version: "3.4.23", releaseDir: "/usr/bin", maxLearners: 1 });
        await startMember(a, own, await stageOn(a, own, await certificatesFor(a, own)));
        await assertGatewayWorks(a, own);
        assertUnderstood(
            await a.output("journalctl -u etcd-debian -o cat --no-pager"),
            await a.output("grep -c ^ETCD_ /etc/etcd/debian/current/etcd.env"),
        );
    });
});

/** What the host already holds, to stage again with. */
async function certificatesOnHost(host: LabHost): Promise<HostCertificates> {
    const { pki, root } = hostPaths("tools");
    const generation = (await host.readFile(`${root}/staged`)).trim();
    const read = (file: string) => host.readFile(file);
    return {
        clientCa: await read(`${root}/generations/${generation}/client-ca.crt`),
        peerCa: await read(`${root}/generations/${generation}/peer-ca.crt`),
        serverCert: await read(`${pki}/server.crt`),
        serverKey: await read(`${pki}/server.key`),
        peerCert: await read(`${pki}/peer.crt`),
        peerKey: await read(`${pki}/peer.key`),
    };
}

/** The HTTP gateway of a member calls the member itself, with the server certificate. */
async function assertGatewayWorks(host: LabHost, { cluster, address, clientPort }: HostSettings): Promise<void> {
    const pki = `/root/pki-${cluster}`;
    const identity = `--cacert ${pki}/client-ca.crt --cert ${pki}/server.crt --key ${pki}/member.key`;
    const answer = await host.output(
        `curl -sS ${identity} -d '{}' https://${address}:${clientPort}/v3/maintenance/status`,
    );
    assert.match(answer, /"dbSize":/);
}

/** etcd tells which variables it took, and which it does not know. */
function assertUnderstood(journal: string, variables: string): void {
    const taken = new Set(
        [...journal.matchAll(/recognized and used environment variable.*?(ETCD_\w+)/g)].map((match) => match[1]),
    );
    // Two more are membership's: the initial cluster and its state.
    assert.equal(taken.size, Number(variables) + 2, [...taken].join(" "));
    const complaints =
        /unrecognized environment variable|"level":"warn".*deprecat|bad certificate|"level":"(error|fatal|panic)"/;
    assert.deepEqual(
        journal.split("\n").filter((line) => complaints.test(line)),
        [],
    );
}
