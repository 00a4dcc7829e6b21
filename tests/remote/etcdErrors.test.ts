import assert from "node:assert/strict";

import type { EtcdErrorCode } from "../../components/remote/errors";
import { toEtcdError } from "../../components/remote/etcdErrors";
import { parsePeerTraffic } from "../../components/remote/etcdMetrics";

/** As etcd's api/v3/v3rpc/rpctypes/error.go has them, in gRPC's wrapping. */
const texts: readonly (readonly [string, EtcdErrorCode])[] = [
    ["14 UNAVAILABLE: etcdserver: unhealthy cluster", "unhealthy-cluster"],
    [
        "9 FAILED_PRECONDITION: etcdserver: re-configuration failed due to not enough started members",
        "not-enough-started",
    ],
    ["9 FAILED_PRECONDITION: etcdserver: Peer URLs already exists", "peer-url-exists"],
    ["9 FAILED_PRECONDITION: etcdserver: too many learner members in cluster", "too-many-learners"],
    [
        "9 FAILED_PRECONDITION: etcdserver: can only promote a learner member which is in sync with leader",
        "not-in-sync",
    ],
    ["9 FAILED_PRECONDITION: etcdserver: can only promote a learner member", "not-learner"],
    ["5 NOT_FOUND: etcdserver: member not found", "member-not-found"],
    ["9 FAILED_PRECONDITION: etcdserver: bad leader transferee", "bad-transferee"],
    ["14 UNAVAILABLE: etcdserver: no leader", "no-leader"],
    ["14 UNAVAILABLE: etcdserver: leader changed", "no-leader"],
    ["14 UNAVAILABLE: etcdserver: request timed out", "timeout"],
    ["14 UNAVAILABLE: etcdserver: request timed out, possibly due to previous leader failure", "timeout"],
    ["14 UNAVAILABLE: etcdserver: request timed out, waiting for the applied index took too long", "timeout"],
    ["14 UNAVAILABLE: etcdserver: server stopped", "unavailable"],
    ["8 RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded", "no-space"],
    ["15 DATA_LOSS: etcdserver: corrupt cluster", "corrupt"],
    ["7 PERMISSION_DENIED: etcdserver: permission denied", "permission"],
    ["3 INVALID_ARGUMENT: etcdserver: user name is empty", "permission"],
    ["16 UNAUTHENTICATED: etcdserver: invalid auth token", "permission"],
    ["3 INVALID_ARGUMENT: etcdserver: key is not provided", "other"],
];

describe("An answer of etcd", () => {
    for (const [text, code] of texts) {
        it(`"${text}" is told as ${code}, in etcd's own words`, () => {
            const error = toEtcdError("root@10.0.0.1", "add member", new Error(text));
            const own = text.slice(text.indexOf("etcdserver:"));
            assert.deepEqual({ code: error.code, detail: error.detail }, { code, detail: own });
            assert.ok(error.message.startsWith(`root@10.0.0.1: add member: etcd answers "${own}"`), error.message);
        });
    }

    it("that did not come is told by what is in its way", () => {
        const behind = new Error("nothing listens there");
        const error = toEtcdError("root@10.0.0.1", "status", new Error("14 UNAVAILABLE: read ECONNRESET"), behind);
        assert.equal(error.code, "unavailable");
        assert.ok(error.message.startsWith("root@10.0.0.1: status: nothing listens there; "), error.message);
    });
});

describe("The metrics of a member", () => {
    it("tell which peers are connected and what came from each, and nothing of other gauges", () => {
        const metrics = `# TYPE etcd_network_active_peers gauge
etcd_network_active_peers{Local="da5afd23d15829d1",Remote="3320787232f3c1c0"} 1
etcd_network_active_peers{Local="da5afd23d15829d1",Remote="3d264b9c4adc0a08"} 0
etcd_network_disconnected_peers_total{Local="da5afd23d15829d1",Remote="3d264b9c4adc0a08"} 1
etcd_network_peer_received_bytes_total{From="0"} 12
etcd_network_peer_received_bytes_total{From="3320787232f3c1c0"} 1.234567e+06
etcd_network_peer_sent_bytes_total{To="3d264b9c4adc0a08"} 99
`;
        assert.deepEqual(Object.fromEntries(parsePeerTraffic(metrics)), {
            "3320787232f3c1c0": { isConnected: true, receivedBytes: 1234567 },
            "3d264b9c4adc0a08": { isConnected: false, receivedBytes: 0 },
        });
    });
});
