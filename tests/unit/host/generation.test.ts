import assert from "node:assert/strict";

import fc from "fast-check";

import { digestOf, renderGeneration } from "../../../components/host/generation";
import { certificates, settingsOf } from "./settings";

describe("a generation", () => {
    const digest = (...args: Parameters<typeof settingsOf>) =>
        renderGeneration(settingsOf(...args), certificates).digest;

    it("has the same digest for the same content", () => {
        assert.equal(digest(), digest());
        assert.match(digest(), /^[0-9a-f]{20}$/);
    });

    it("has another digest when what the member starts from is another", () => {
        const digests = [
            digest(),
            digest({ version: "3.6.15" }),
            digest({ releaseDir: "/opt/etcd/other" }),
            digest({ tuning: { snapshotCount: 1 } }),
            digest({ firewall: false }),
            renderGeneration(settingsOf(), { ...certificates, peerCa: "another\n" }).digest,
        ];
        assert.equal(new Set(digests).size, digests.length);
    });

    it("does not change with leaf certificates and clients' addresses, which need no restart", () => {
        assert.equal(digest({ clientAddresses: ["10.0.0.9"] }), digest());
        const renewed = { ...certificates, serverCert: "renewed\n", serverKey: "renewed\n" };
        assert.equal(renderGeneration(settingsOf(), renewed).digest, digest());
    });

    it("says which authorities it trusts, whoever of them signs, unless it is the first alone", () => {
        assert.equal(digest({ authorities: [1] }), digest());
        assert.equal(digest({ authorities: [1, 2] }), digest({ authorities: [2, 1] }));
        assert.notEqual(digest({ authorities: [1, 2] }), digest());
        assert.notEqual(digest({ authorities: [2] }), digest({ authorities: [1, 2] }));
        const { files } = renderGeneration(settingsOf({ authorities: [10, 9] }), certificates);
        assert.match(files["etcd.env"]!, /^# authorities 9,10$/m);
    });

    it("tells any two sets of files apart", () => {
        const files = fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ maxLength: 4 }), { maxKeys: 3 });
        const text = (set: Record<string, string>) => JSON.stringify(Object.entries(set).sort());
        fc.assert(
            fc.property(files, files, (left, right) => {
                assert.equal(digestOf(left) === digestOf(right), text(left) === text(right));
            }),
        );
    });
});
