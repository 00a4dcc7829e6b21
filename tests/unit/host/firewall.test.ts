import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import fc from "fast-check";

import {
    isFirewallInForce,
    parsePeers,
    renderFirewall,
    renderNoFirewall,
    renderPeers,
} from "../../../components/host/firewall";
import { hostPaths } from "../../../components/host/paths";
import { requirePrograms } from "../../../lab/prerequisites";
import { STAGE_FUNCTIONS } from "../../../components/host/stageFunctions";
import { settingsOf } from "./settings";

const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6().map((text) => new URL(`http://[${text}]`).hostname.slice(1, -1)),
);

describe("the peers' file", () => {
    it("gives back whom it lets in, each once", () => {
        fc.assert(
            fc.property(fc.array(address, { maxLength: 9 }), (addresses) => {
                assert.deepEqual(parsePeers(renderPeers(addresses)), [...new Set(addresses)].sort());
            }),
        );
    });

    it("is the same text whatever the order", () => {
        assert.equal(renderPeers(["10.0.0.2", "10.0.0.1"]), renderPeers(["10.0.0.1", "10.0.0.2", "10.0.0.1"]));
    });

    it("takes addresses only", () => {
        for (const text of ["10.0.0.0/8", "a", "", "10.0.0.1 }"]) {
            assert.throws(() => renderPeers([text]), /wanted is an IP address/);
        }
    });

    it("lets nobody in when it can't be read", () => {
        assert.deepEqual(parsePeers("elements = { what, is this }"), []);
        assert.deepEqual(parsePeers(""), []);
    });
});

/** Tries a text in a network namespace of its own, so that this machine's own table is never asked. */
describe("the firewall table, as nft reads it", () => {
    let directory: string;

    before(async () => {
        await requirePrograms(["nft", "unshare"]);
        directory = mkdtempSync(path.join(tmpdir(), "pulumi-etcd-firewall-"));
    });
    after(() => rmSync(directory, { recursive: true, force: true }));

    const paths = () => ({
        ...hostPaths("tools"),
        peers: path.join(directory, "peers.nft"),
        firewall: path.join(directory, "firewall.nft"),
    });

    function nft(script: string): string {
        const { status, stdout, stderr } = spawnSync(
            "unshare",
            ["-rn", "sh", "-euc", `PATH=$PATH:/usr/sbin:/sbin; ${script}`],
            {
                encoding: "utf8",
            },
        );
        assert.equal(status, 0, stderr);
        return stdout;
    }

    it("is accepted with and without peers and clients of both kinds", () => {
        const clientAddresses = ["10.0.0.5", "10.0.0.0/8", "10.0.0.5", "fd00::/64", "fd00::5"];
        for (const peers of [[], ["10.0.0.1"], ["10.0.0.1", "10.0.0.2", "fd00::1"]]) {
            for (const clients of [[], clientAddresses]) {
                writeFileSync(paths().peers, renderPeers(peers));
                writeFileSync(
                    paths().firewall,
                    renderFirewall(settingsOf({ paths: paths(), clientAddresses: clients })),
                );
                const listed = nft(`nft -f ${paths().firewall}; nft list table inet etcd_tools`);
                for (const peer of peers) assert.match(listed, new RegExp(`\\b${peer}\\b`));
            }
        }
    });

    it("is in force with all its rules and no others", () => {
        writeFileSync(paths().peers, renderPeers(["10.0.0.1"]));
        writeFileSync(paths().firewall, renderFirewall(settingsOf({ paths: paths(), clientAddresses: ["10.0.0.5"] })));
        const chain = "inet etcd_tools input";
        const changes = [
            ":",
            "nft delete table inet etcd_tools",
            "nft flush table inet etcd_tools",
            `nft insert rule ${chain} accept`,
            `nft add rule ${chain} tcp dport 2379 accept`,
        ];
        const told = changes.map((change) =>
            nft(
                `nft -f ${paths().firewall}; ${change}; if ${isFirewallInForce("etcd_tools")}; then echo yes; else echo no; fi`,
            ),
        );
        assert.deepEqual(told, ["yes\n", "no\n", "no\n", "no\n", "no\n"]);
    });

    it("replaces itself and nothing else", () => {
        writeFileSync(paths().peers, renderPeers(["10.0.0.1"]));
        writeFileSync(paths().firewall, renderFirewall(settingsOf({ paths: paths() })));
        const foreign = "table inet mine {\n\tset kept {\n\t\ttype ipv4_addr\n\t\telements = { 192.0.2.1 }\n\t}\n}";
        const listed = nft(
            `nft 'add table inet mine; add set inet mine kept { type ipv4_addr; }; add element inet mine kept { 192.0.2.1 }'; ` +
                `nft -f ${paths().firewall}; nft -f ${paths().firewall}; nft list ruleset`,
        );
        assert.ok(listed.includes(foreign), listed);
        assert.equal(listed.match(/table inet etcd_tools/g)?.length, 1);
        assert.equal(listed.match(/10\.0\.0\.1/g)?.length, 1);
    });

    it("goes away when the firewall is switched off, and it is no error if it was not there", () => {
        writeFileSync(paths().peers, renderPeers([]));
        writeFileSync(paths().firewall, renderFirewall(settingsOf({ paths: paths() })));
        const off = path.join(directory, "off.nft");
        writeFileSync(off, renderNoFirewall(settingsOf({ paths: paths() })));
        assert.equal(nft(`nft -f ${off}; nft -f ${paths().firewall}; nft -f ${off}; nft list ruleset`), "");
    });

    describe("as staging leaves it", () => {
        /** Runs a part of staging, with a systemd that reloads the firewall by its file. */
        function staging(part: string): string {
            return nft(`${STAGE_FUNCTIONS}
chown() { :; }
systemctl() { case "$*" in *reload*etcd-tools-firewall) nft -f ${paths().firewall};; esac; }
root=${directory} etcd=etcd staging=${directory}/staging firewall_unit=etcd-tools-firewall firewall_table=etcd_tools
firewall_unit_file=${paths().peers}
${part}`);
        }
        const wanted = (changes = {}) => renderFirewall(settingsOf({ paths: paths(), ...changes }));
        const quoted = (text: string) => `'${text}'`;

        it("lets in the declared hosts and whom the member was told of, until membership says whom", () => {
            rmSync(paths().peers, { force: true });
            writeFileSync(paths().firewall, wanted());
            const told = "a=https://10.0.0.1:2380,b-1=http://10.0.0.2:80,c=https://[fd00::3]:2380,d=https://ab.cd:1";
            writeFileSync(path.join(directory, "membership.env"), `# x\nETCD_INITIAL_CLUSTER=${told}\n`);
            const begin = `begin_peers ${paths().peers} ${quoted(renderPeers([]))} 10.0.0.1 10.0.0.9 fd00::9`;
            const listed = staging(
                `${begin}; nft -f ${paths().firewall}; nft list set inet etcd_tools peers4; nft list set inet etcd_tools peers6`,
            );
            assert.deepEqual(listed.match(/10\.[\d.]+|fd00::\d/g), [
                "10.0.0.1",
                "10.0.0.2",
                "10.0.0.9",
                "fd00::3",
                "fd00::9",
            ]);
            assert.deepEqual(parsePeers(readFileSync(paths().peers, "utf8")), []);
            writeFileSync(paths().peers, renderPeers(["10.0.0.4"]));
            staging(begin);
            assert.equal(readFileSync(paths().peers, "utf8"), renderPeers(["10.0.0.4"]), "membership's stays");
        });

        it("is loaded by the run after one that wrote it and was cut off, and no list comes back", () => {
            writeFileSync(paths().peers, renderPeers([]));
            writeFileSync(paths().firewall, wanted());
            const listed = staging(
                `nft -f ${paths().firewall}; begin_manifest; put ${paths().firewall} 0640 x ${quoted(wanted({ clientAddresses: ["10.0.0.98"] }))}
begin_manifest; load_firewall ${paths().firewall} ${quoted(wanted({ clientAddresses: ["10.0.0.98"] }))}; nft list ruleset; echo off
put ${paths().firewall} 0640 x ${quoted(renderNoFirewall(settingsOf({ paths: paths() })))}
begin_manifest; open_firewall ${paths().firewall} ${quoted(renderNoFirewall(settingsOf({ paths: paths() })))} ${paths().peers}; nft list ruleset`,
            );
            assert.match(listed, /10\.0\.0\.98[^]*off\n$/);
            assert.equal(existsSync(paths().peers), false);
        });

        it("has no list left where it was switched off before its unit was there", () => {
            writeFileSync(paths().peers, renderPeers(["10.0.0.1"]));
            staging(`firewall_unit_file=${directory}/none; open_firewall ${paths().firewall} '' ${paths().peers}`);
            assert.equal(existsSync(paths().peers), false);
        });
    });
});
