import assert from "node:assert/strict";

import { bundle, NOBODY, together, unlessNobody, withInherited } from "../../../components/adoption/authorities";
import { leavesOf, parseForeign } from "../../../components/adoption/foreign";

const pem = (text: string): string => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

describe("what a host says of an etcd that was set up by hand", () => {
    it("is nothing where there is none", () => {
        assert.equal(parseForeign("foreign.unit=\nclock=1\n"), undefined);
    });

    it("is read from its variables, and from its flags before them", () => {
        const found = parseForeign(
            [
                "foreign.pid=812",
                "foreign.unit=etcd.service",
                "foreign.cwd=/var/lib/etcd",
                "foreign.env:ETCD_NAME=from-the-variable",
                "foreign.env:ETCD_QUOTA_BACKEND_BYTES=8589934592",
                "foreign.env:ETCD_INITIAL_CLUSTER=a=https://10.0.0.1:2380",
                "foreign.arg:--name=a",
                "foreign.arg:--cert-file",
                "foreign.arg:/etc/pki/server.crt",
                "foreign.arg:--client-cert-auth",
                "foreign.arg:-key-file=/etc/pki/server.key",
                "foreign.data=default.etcd",
                "foreign.disk=same",
                "foreign.client=[::ffff:10.0.0.9]:51000",
                "foreign.client=127.0.0.1:40000",
                "foreign.client=10.0.0.8:40001",
            ].join("\n"),
        );
        assert.ok(found);
        assert.equal(found.unit, "etcd.service");
        assert.equal(found.options.get("name"), "a");
        assert.equal(found.options.get("quota-backend-bytes"), "8589934592");
        assert.equal(found.options.get("initial-cluster"), "a=https://10.0.0.1:2380");
        assert.equal(found.options.get("client-cert-auth"), "true");
        assert.equal(found.dataDir, "/var/lib/etcd/default.etcd");
        assert.equal(found.isOnSameDisk, true);
        assert.deepEqual(found.clients, ["10.0.0.9", "10.0.0.8"]);
        assert.deepEqual(leavesOf(found), {
            "server.crt": "/etc/pki/server.crt",
            "server.key": "/etc/pki/server.key",
            "peer.crt": "",
            "peer.key": "",
        });
    });

    it("is what a take-over noted that died after it had stopped it", () => {
        const found = parseForeign(
            "foreign.note:unit=etcd.service\nforeign.note:data=/srv/etcd\nforeign.note:owner=root:root\n",
        );
        assert.deepEqual(
            { unit: found?.unit, dataDir: found?.dataDir, isRunning: found?.isRunning },
            { unit: "etcd.service", dataDir: "/srv/etcd", isRunning: false },
        );
    });
});

describe("authorities that are inherited", () => {
    it("are trusted besides the stack's own, each once", () => {
        const own = { clientCa: pem("new"), peerCa: pem("new peer") };
        const inherited = together([
            { clientCa: pem("old"), peerCa: pem("old peer") },
            { clientCa: `${pem("old")}${pem("new")}`, peerCa: pem("old peer") },
        ]);
        assert.deepEqual(withInherited(own, inherited), {
            clientCa: pem("new") + pem("old"),
            peerCa: pem("new peer") + pem("old peer"),
        });
        assert.equal(withInherited(own, undefined), own);
    });

    it("are nobody's where nothing is taken over, and those of a cluster without TLS where it is", () => {
        assert.equal(unlessNobody(NOBODY), undefined);
        assert.deepEqual(unlessNobody({ ...NOBODY, isPlain: true }), { clientCa: "", peerCa: "", isPlain: true });
    });

    it("are none where no certificate is found", () => {
        assert.equal(together([{ clientCa: "", peerCa: "no certificate" }]), undefined);
        assert.equal(bundle("# a comment\n"), "");
    });
});
