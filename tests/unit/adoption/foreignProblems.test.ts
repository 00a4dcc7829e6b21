import assert from "node:assert/strict";

import { parseForeign } from "../../../components/adoption/foreign";
import { foreignProblems } from "../../../components/adoption/foreignProblems";
import type { ProvisionInputs } from "../../../components/provision/inputs";
import { assertOne, changed } from "../provision/answers";
import { host, inputs as ordinary } from "../provision/declared";

const inputs: ProvisionInputs = {
    ...ordinary,
    adopt: { tuning: { heartbeatInterval: 250 }, clientAddresses: ["10.1.0.0/16"] },
};

/** A member that can be taken over, in the words of its shell. */
const FIT = [
    "foreign.pid=812",
    "foreign.unit=etcd.service",
    "foreign.cwd=/",
    "foreign.env:ETCD_NAME=a",
    "foreign.env:ETCD_HEARTBEAT_INTERVAL=250",
    ...["TRUSTED_CA_FILE", "CERT_FILE", "KEY_FILE"].flatMap((file) => [
        `foreign.env:ETCD_${file}=/etc/pki/${file}`,
        `foreign.env:ETCD_PEER_${file}=/etc/pki/${file}`,
    ]),
    "foreign.data=/srv/etcd",
    "foreign.disk=same",
    "foreign.client=10.1.2.3:40001",
];

/** What speaks against a fit member of which some lines were changed. */
function problems(...changes: readonly (string | RegExp)[]): readonly string[] {
    return foreignProblems(inputs, host, parseForeign(changed(FIT, changes))!);
}

function one(wanted: RegExp, ...changes: readonly (string | RegExp)[]): void {
    assertOne(problems(...changes), wanted);
}

describe("what speaks against taking over an etcd that was set up by hand", () => {
    it("is nothing when it is as declared", () => {
        assert.deepEqual(problems(), []);
    });

    it("is another name, or none", () => {
        one(/runs a member named "b", declared is "a"/, /NAME/, "foreign.env:ETCD_NAME=b");
        one(/runs a member named "default", declared is "a"/, /NAME/);
    });

    it("is a log on a file system of its own, which would stay where it is at the next boot", () => {
        one(
            /^\/srv\/etcd\/member\/wal, in its data directory, is a file system of its own, and .* moved as a whole/,
            "foreign.mount=/srv/etcd/member/wal",
        );
    });

    it("is not that it has no TLS at all", () => {
        assert.deepEqual(problems(/FILE=/, "foreign.env:ETCD_LISTEN_CLIENT_URLS=http://10.0.0.11:2379"), []);
    });

    it("is TLS on one of its ports, or without client certificates, in one sentence", () => {
        one(
            /has no peer-trusted-ca-file, peer-cert-file, peer-key-file, and only a cluster with TLS .* or with none at all, is taken over/,
            /PEER_/,
        );
        one(/has no trusted-ca-file, .*peer-key-file, and only/, /FILE=/, "foreign.env:ETCD_AUTO_TLS=true");
        one(
            /has no trusted-ca-file, .*peer-key-file, and only/,
            /FILE=/,
            "foreign.env:ETCD_LISTEN_PEER_URLS=https://10.0.0.11:2380",
        );
    });

    it("is a setting that was not declared, or declared otherwise", () => {
        one(/heartbeat-interval 100, declared is 250/, /HEARTBEAT/, "foreign.env:ETCD_HEARTBEAT_INTERVAL=100");
        one(/quota-backend-bytes 99, declared is none/, "foreign.arg:--quota-backend-bytes=99");
        assert.deepEqual(
            problems("foreign.arg:--max-snapshots=9", "foreign.env:ETCD_MAX_WALS=9"),
            [],
            "of files alone",
        );
    });

    it("is a setting that nobody can declare, if it matters and is on; its value is not shown", () => {
        one(
            /runs with auth-token, which the unit that takes its place would not have: .*take it out there/,
            "foreign.env:ETCD_AUTH_TOKEN=jwt,priv-key=hunter2",
        );
        assert.doesNotMatch(problems("foreign.env:ETCD_AUTH_TOKEN=jwt,priv-key=hunter2").join(), /hunter2/);
        one(/runs with listen-metrics-urls/, "foreign.arg:--listen-metrics-urls=http://127.0.0.1:2381");
        one(/runs with client-crl-file/, "foreign.arg:--client-crl-file=/etc/pki/crl.pem");
        one(/runs with experimental-corrupt-check-time/, "foreign.arg:--experimental-corrupt-check-time=4h");
        assert.deepEqual(problems("foreign.arg:--experimental-initial-corrupt-check"), [], "ours has that, too");
        assert.deepEqual(problems("foreign.env:ETCD_AUTH_TOKEN=simple", "foreign.env:ETCD_ENABLE_V2=False"), []);
        assert.deepEqual(problems("foreign.env:ETCD_ENABLE_V2=false", "foreign.env:ETCD_UNIT_OWNER=ops"), []);
        assert.deepEqual(problems("foreign.arg:--log-outputs=stderr", "foreign.env:ETCD_CORS="), []);
    });

    it("is no setting that our unit has, too, but its like is one", () => {
        assert.deepEqual(problems("foreign.env:ETCD_FEATURE_GATES=CompactHashCheck=true,InitialCorruptCheck=true"), []);
        one(/runs with feature-gates/, "foreign.env:ETCD_FEATURE_GATES=InitialCorruptCheck=true,LeaseCheckpoint=true");
        one(/runs with feature-gates/, "foreign.arg:--feature-gates=InitialCorruptCheck=false");
        assert.deepEqual(problems("foreign.arg:--tls-min-version=TLS1.2"), []);
        one(/runs with tls-min-version/, "foreign.arg:--tls-min-version=TLS1.3");
        assert.deepEqual(problems("foreign.arg:--initial-election-tick-advance=false"), [], "of its own start alone");
        one(/runs with peer-cert-allowed-cn/, "foreign.arg:--peer-cert-allowed-cn=etcd");
    });

    it("is a client that would be cut off", () => {
        one(/10\.2\.0\.1 is connected to its client port/, "foreign.client=10.2.0.1:40001");
        assert.deepEqual(problems("foreign.client=10.0.0.11:40001"), [], "members are let in");
    });

    it("is data on another file system, or a log apart from it", () => {
        one(/its data is in \/srv\/etcd, on another file system/, /disk=/);
        one(/wal-dir/, "foreign.arg:--wal-dir=/fast/wal");
    });

    it("is a configuration file, or that no unit runs it, and then nothing else is told", () => {
        one(/--config-file/, "foreign.arg:--config-file=/etc/etcd.yml", /FILE=/);
        one(/run by no systemd unit/, /unit=/, /NAME/);
    });
});
