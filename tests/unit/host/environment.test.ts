import assert from "node:assert/strict";

import fc from "fast-check";

import { renderEnvironment } from "../../../components/host/environment";
import type { HostSettings } from "../../../components/host/settings";
import { settingsOf } from "./settings";

/** What systemd makes of an EnvironmentFile without quotes: systemd.exec(5). */
function readEnvironment(text: string): Map<string, string> {
    const lines = text.split("\n").filter((line) => line !== "" && !/^[#;]/.test(line));
    return new Map(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

function environmentOf(changes: Partial<HostSettings> = {}): Map<string, string> {
    return readEnvironment(renderEnvironment(settingsOf(changes)));
}

describe("a member's environment", () => {
    it("listens on the member's address only, and tells others that address", () => {
        const environment = environmentOf({ address: "10.0.0.11", clientPort: 12379, peerPort: 12380 });
        for (const name of ["ETCD_LISTEN_PEER_URLS", "ETCD_INITIAL_ADVERTISE_PEER_URLS"]) {
            assert.equal(environment.get(name), "https://10.0.0.11:12380");
        }
        for (const name of ["ETCD_LISTEN_CLIENT_URLS", "ETCD_ADVERTISE_CLIENT_URLS"]) {
            assert.equal(environment.get(name), "https://10.0.0.11:12379");
        }
    });

    it("puts brackets around an IPv6 address", () => {
        assert.equal(environmentOf({ address: "fd00::11" }).get("ETCD_LISTEN_PEER_URLS"), "https://[fd00::11]:2380");
    });

    it("has a member of 3.6 or later speak to its peers from its declared address, except where etcd can't", () => {
        const gates = (address: string, version: string) =>
            environmentOf({ address, version }).get("ETCD_FEATURE_GATES");
        assert.match(gates("10.0.0.11", "3.6.16")!, /SetMemberLocalAddr=true/);
        assert.doesNotMatch(gates("fd00::11", "3.7.3")!, /SetMemberLocalAddr/);
        assert.equal(gates("10.0.0.11", "3.5.35"), undefined);
    });

    it("asks clients and peers for certificates, each from an authority of their own", () => {
        const environment = environmentOf();
        assert.equal(environment.get("ETCD_CLIENT_CERT_AUTH"), "true");
        assert.equal(environment.get("ETCD_PEER_CLIENT_CERT_AUTH"), "true");
        assert.equal(environment.get("ETCD_TRUSTED_CA_FILE"), "/etc/etcd/tools/current/client-ca.crt");
        assert.equal(environment.get("ETCD_PEER_TRUSTED_CA_FILE"), "/etc/etcd/tools/current/peer-ca.crt");
        assert.equal(environment.get("ETCD_PEER_CERT_ALLOWED_CN"), "tools-peer");
    });

    it("says nothing about the initial cluster, which is membership's to write", () => {
        for (const version of ["3.4.23", "3.5.35", "3.6.16", "3.7.3"]) {
            const names = [...environmentOf({ version }).keys()];
            assert.deepEqual(
                names.filter((name) => name === "ETCD_INITIAL_CLUSTER" || name === "ETCD_INITIAL_CLUSTER_STATE"),
                [],
            );
        }
    });

    it("asks each version for the corruption checks by the names it knows", () => {
        const checks = (version: string) =>
            [...environmentOf({ version })]
                .filter(([name]) => /CORRUPT|COMPACT_HASH|FEATURE/.test(name))
                .map(([name, value]) => `${name}=${value}`);
        const gates = "ETCD_FEATURE_GATES=InitialCorruptCheck=true,CompactHashCheck=true,SetMemberLocalAddr=true";
        assert.deepEqual(checks("3.4.23"), ["ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK=true"]);
        assert.deepEqual(checks("3.5.4"), ["ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK=true"]);
        assert.deepEqual(checks("3.5.35"), [
            "ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK=true",
            "ETCD_EXPERIMENTAL_COMPACT_HASH_CHECK_ENABLED=true",
        ]);
        assert.deepEqual(checks("3.6.16"), [gates]);
        assert.deepEqual(checks("3.7.3"), [gates]);
    });

    it("names options only to versions that know them", () => {
        const has = (name: string, version: string) => environmentOf({ version }).has(name);
        assert.deepEqual(
            ["3.4.23", "3.5.35", "3.6.16", "3.7.3"].map((version) => has("ETCD_MAX_LEARNERS", version)),
            [false, false, true, true],
        );
        assert.deepEqual(
            ["3.4.23", "3.5.7", "3.5.8", "3.7.3"].map((version) => has("ETCD_TLS_MIN_VERSION", version)),
            [false, false, true, true],
        );
        assert.deepEqual(
            ["3.4.23", "3.5.35"].map((version) => has("ETCD_LOGGER", version)),
            [true, false],
        );
    });

    it("passes tuning on under etcd's own names, and leaves etcd's defaults alone", () => {
        const environment = environmentOf({
            tuning: { snapshotCount: 5000, autoCompactionMode: "periodic", autoCompactionRetention: "10m" },
        });
        assert.equal(environment.get("ETCD_SNAPSHOT_COUNT"), "5000");
        assert.equal(environment.get("ETCD_AUTO_COMPACTION_MODE"), "periodic");
        assert.equal(environment.get("ETCD_AUTO_COMPACTION_RETENTION"), "10m");
        assert.equal(environment.has("ETCD_HEARTBEAT_INTERVAL"), false);
    });

    it("carries a value to etcd as it is, or refuses it", () => {
        const text = fc.oneof(
            fc.string(),
            fc.constantFrom("a b", "a'b", 'a"b', "a\\b", "a\nETCD_NAME=x", "$HOME", "a#b", ""),
        );
        fc.assert(
            fc.property(text, (token) => {
                const settings = settingsOf({ clusterToken: token });
                let rendered: string;
                try {
                    rendered = renderEnvironment(settings);
                } catch (error) {
                    assert.ok(error instanceof RangeError);
                    return;
                }
                const environment = readEnvironment(rendered);
                assert.equal(environment.get("ETCD_INITIAL_CLUSTER_TOKEN"), token);
                assert.equal(environment.size, environmentOf().size);
            }),
            { numRuns: 500 },
        );
    });
});
