import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { parsePeers } from "../../components/host/firewall";
import type { LabHost } from "../../lab";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, eventually, openBed, voters, type Bed } from "./fixture";
import { Project } from "./project";

const cluster = "safe";
const all = ["a", "b", "c"];
const root = `/etc/etcd/${cluster}`;
const CLIENT_PORT = 2379;
const PEER_PORT = 2380;

describe("a running cluster, seen by somebody who means it no good", () => {
    let bed: Bed;
    let project: Project;
    let a: LabHost;

    function declared(changes: Partial<EtcdClusterArgs> = {}): Record<string, EtcdClusterArgs> {
        return { [cluster]: bed.declare(3, { clients: [{ name: "app", addresses: ["10.87.1.14"] }], ...changes }) };
    }

    before(async () => {
        // d is a declared client's host, e a stranger's.
        bed = await openBed("it-security", "10.87.1", 5);
        a = bed.lab.host("a");
        project = await Project.open();
        await project.mustUp(declared());
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    diagnoseFailures(() => bed?.lab);

    it("has owners and modes as CIS asks for, on every host", async () => {
        for (const name of all) {
            const found = await bed.lab
                .host(name)
                .output(
                    `stat -c '%a %U:%G %n' /var/lib/etcd/${cluster} ${root} ${root}/generations ${root}/pki ${root}/pki/* ` +
                        `${root}/membership.env ${root}/identity ${root}/managed ${root}/peers.nft ${root}/firewall.nft $(readlink -f ${root}/current) ${root}/current/*`,
                );
            const lines = found
                .trim()
                .replaceAll(/generations\/[0-9a-f]+/g, "current")
                .split("\n");
            assert.deepEqual(lines, [
                `700 etcd:etcd /var/lib/etcd/${cluster}`,
                `750 root:etcd ${root}`,
                `750 root:etcd ${root}/generations`,
                `750 root:etcd ${root}/pki`,
                ...["peer.crt", "peer.key", "server.crt", "server.key"].map(
                    (file) => `600 etcd:etcd ${root}/pki/${file}`,
                ),
                ...["membership.env", "identity", "managed", "peers.nft", "firewall.nft"].map(
                    (file) => `640 root:etcd ${root}/${file}`,
                ),
                `750 root:etcd ${root}/current`,
                `600 etcd:etcd ${root}/current/client-ca.crt`,
                `640 root:etcd ${root}/current/etcd.env`,
                `640 root:etcd ${root}/current/etcd.service`,
                `600 etcd:etcd ${root}/current/peer-ca.crt`,
            ]);
            const open = await bed.lab
                .host(name)
                .output(`find /var/lib/etcd/${cluster} -perm /077; ls -A /var/lib/etcd/${cluster}`);
            assert.equal(open.trim(), "member");
        }
    });

    it("runs as etcd, with no capability, and exposed at most 2.0 by systemd's own measure", async () => {
        for (const name of all) {
            const host = bed.lab.host(name);
            const status = await host.output("cat /proc/$(pidof etcd)/status; ps -o user= -p $(pidof etcd)");
            assert.match(status, /^etcd$/m);
            for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
                assert.match(status, new RegExp(`^${set}:\\s+0+$`, "m"));
            }
            assert.match(status, /^NoNewPrivs:\s+1$/m);
            const measured = await host.output(`systemd-analyze security --no-pager etcd-${cluster}.service`);
            const score = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(measured)?.[1]);
            if (name === "a") console.log(`      exposure ${score}`);
            assert.ok(score <= 2, `${score}`);
        }
    });

    describe("over TLS", () => {
        /** What a call to a port of a's, made there, gets: etcd's answer, or none. */
        async function answers(url: string, options: string): Promise<boolean> {
            const { stdout } = await a.run(`curl -sS --max-time 5 --http1.1 ${options} ${url}`);
            return stdout.includes("etcdserver");
        }

        const client = `https://10.87.1.11:${CLIENT_PORT}/version`;
        const peer = `https://10.87.1.11:${PEER_PORT}/version`;
        const serverPair = `--cert ${root}/pki/server.crt --key ${root}/pki/server.key`;
        const peerPair = `--cert ${root}/pki/peer.crt --key ${root}/pki/peer.key`;

        it("asks for a certificate of the clients' authority at the client port", async () => {
            const trusting = `--cacert ${root}/current/client-ca.crt`;
            assert.equal(await answers(client, `${trusting} ${serverPair}`), true);
            assert.equal(await answers(client, trusting), false);
            assert.equal(await answers(client, `${trusting} ${peerPair}`), false);
            assert.equal(await answers(client.replace("https", "http"), ""), false);
        });

        it("asks for a certificate of the peers' authority, with the peers' own name, at the peer port", async () => {
            const trusting = `--cacert ${root}/current/peer-ca.crt`;
            assert.equal(await answers(peer, `${trusting} ${peerPair}`), true);
            assert.equal(await answers(peer, trusting), false);
            assert.equal(await answers(peer, `${trusting} ${serverPair}`), false);
            assert.equal(await answers(peer.replace("https", "http"), ""), false);
            await a.writeFile("/root/try/ca.key", await secretOf("peer-ca"), 0o600);
            const signed = async (name: string): Promise<string> => {
                await a.output(
                    `cd /root/try && openssl req -new -key ${root}/pki/peer.key -subj /CN=${name} -out csr && ` +
                        `printf 'extendedKeyUsage=serverAuth,clientAuth\\nsubjectAltName=DNS:a,IP:10.87.1.11\\n' > ext && ` +
                        `openssl x509 -req -in csr -CA ${root}/current/peer-ca.crt -CAkey ca.key -CAcreateserial -CAserial serial -days 1 -extfile ext -out ${name}.crt`,
                );
                return `--cert /root/try/${name}.crt --key ${root}/pki/peer.key`;
            };
            assert.equal(await answers(peer, `${trusting} ${await signed(`${cluster}-peer`)}`), true);
            assert.equal(await answers(peer, `${trusting} ${await signed("somebody")}`), false);
        });

        it("speaks nothing older than TLS 1.2", async () => {
            for (const [port, pair] of [
                [CLIENT_PORT, "server"],
                [PEER_PORT, "peer"],
            ] as const) {
                const speaks = async (version: string): Promise<boolean> =>
                    (
                        await a.run(
                            `openssl s_client -connect 10.87.1.11:${port} -${version} -cipher DEFAULT@SECLEVEL=0 -cert ${root}/pki/${pair}.crt -key ${root}/pki/${pair}.key </dev/null`,
                        )
                    ).code === 0;
                assert.deepEqual(
                    [await speaks("tls1_1"), await speaks("tls1_2"), await speaks("tls1_3")],
                    [false, true, true],
                );
            }
        });

        it("lets a declared client in with the certificate that the stack gives it, and with no other", async () => {
            const { ca, clientCertificates } = (await project.outputs())[cluster]!;
            const { cert, key } = clientCertificates["app"]!;
            const d = bed.lab.host("d");
            await d.writeFile("/root/ca.crt", ca);
            await d.writeFile("/root/app.crt", cert);
            await d.writeFile("/root/app.key", key, 0o600);
            const asks = async (options: string): Promise<string> =>
                (await d.run(`curl -sS --max-time 5 --http1.1 --cacert /root/ca.crt ${options} ${client}`)).stdout;
            assert.match(await asks("--cert /root/app.crt --key /root/app.key"), /etcdserver/);
            assert.equal(await asks(""), "");
        });

        /** A private key, from the stack's state. */
        async function secretOf(part: string): Promise<string> {
            const { text } = await project.mustRun(["stack", "export", "--show-secrets"]);
            const { deployment } = JSON.parse(text) as {
                deployment: { resources: { urn: string; outputs?: { privateKeyPemPkcs8?: { plaintext: string } } }[] };
            };
            const found = deployment.resources.find(({ urn }) => urn.endsWith(`PrivateKey::${cluster}-${part}`));
            return JSON.parse(found?.outputs?.privateKeyPemPkcs8?.plaintext ?? '""') as string;
        }
    });

    describe("through its firewall", () => {
        const ports = [CLIENT_PORT, PEER_PORT, 8022];

        /** Which of a's ports take a connection from another host: a member's, a declared client's, a stranger's. */
        async function reached(from: string): Promise<readonly boolean[]> {
            return Promise.all(ports.map((port) => bed.lab.host(from).connect("10.87.1.11", port)));
        }

        async function assertGuarded(): Promise<void> {
            await a.output("/usr/sbin/sshd -p 8022");
            await eventually("members reach each other", 30, async () => {
                assert.deepEqual(await reached("b"), [true, true, true]);
            });
            assert.deepEqual(await reached("d"), [true, false, true], "a declared client");
            assert.deepEqual(await reached("e"), [false, false, true], "a stranger");
        }

        it("lets members in to both ports, declared clients to one, strangers to none, and has no say in others", async () => {
            await assertGuarded();
        });

        it("does so after a reboot too: it is loaded before etcd starts", async () => {
            await a.reboot();
            await assertGuarded();
            const times = await a.output(
                `systemctl show --value --property ActiveEnterTimestampMonotonic etcd-${cluster}-firewall; ` +
                    `systemctl show --value --property ExecMainStartTimestampMonotonic etcd-${cluster}`,
            );
            const [firewall, etcd] = times.trim().split("\n").map(Number);
            assert.ok(firewall! > 0 && firewall! < etcd!, times);
        });

        it("is not there where it is not wanted", async () => {
            await project.mustUp(declared({ firewall: false }));
            for (const name of all) {
                const tables = await bed.lab.host(name).output("nft list tables");
                assert.doesNotMatch(tables, /etcd/);
            }
            assert.deepEqual(await reached("e"), [true, true, true]);
            const again = await project.up(declared({ firewall: false }), "--expect-no-changes");
            assert.equal(again.code, 0, again.text);
        });

        it("parts no members while it is switched on, before membership has its turn", async () => {
            await project.mustUp(declared({ firewall: false }));
            await project.mustUp(declared(), "--target", "**-stage");
            for (const name of all) await writes(name);
            assert.deepEqual(await reached("d"), [true, false, true], "a declared client");
            assert.deepEqual(await reached("e"), [false, false, true], "a stranger");
            await project.mustUp(declared());
            for (const name of all) {
                const peers = await bed.lab.host(name).readFile(`${root}/peers.nft`);
                assert.deepEqual(parsePeers(peers), ["10.87.1.11", "10.87.1.12", "10.87.1.13"]);
            }
        });

        it("knows who came and who went while it was switched off", async () => {
            const moved = { hosts: bed.declare(["a", "b", "e"]).hosts };
            await project.mustUp(declared({ firewall: false }));
            await project.mustUp(declared({ ...moved, firewall: false }));
            await project.mustUp(declared(moved), "--target", "**-stage");
            for (const name of ["a", "b", "e"]) await writes(name);
            assert.deepEqual(await reached("c"), [false, false, true], "a member that was removed");
            await project.mustUp(declared(moved));
            assert.deepEqual(await voters(a, cluster), ["a", "b", "e"]);
        });

        /** A write by way of a member needs a quorum that hears it. */
        async function writes(name: string): Promise<void> {
            await etcdctl(bed.lab.host(name), cluster, "--command-timeout 10s put key value");
        }
    });
});
