import assert from "node:assert/strict";

import { check, diff } from "../../../components/provision/handler";
import type { ProvisionArgs, ProvisionHost } from "../../../components/provision/inputs";

/** As the engine spells what it can't know yet. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A host whose login is made by another resource of the program. */
const host = {
    name: "a",
    address: "192.0.2.1",
    peerPort: 2380,
    clientPort: 2379,
    ssh: UNKNOWN,
} as unknown as ProvisionHost;
const args: ProvisionArgs = {
    schemaVersion: 1,
    cluster: "tools",
    clusterToken: "tools.prod",
    version: "3.6.16",
    install: { source: "debian" },
    dataDir: "/var/lib/etcd/tools",
    firewall: true,
    deleteDataOnDestroy: false,
    hosts: [host],
    isPreview: true,
};

describe("hosts whose login is not known yet", () => {
    it("are looked at by nobody, and are expected to change", async () => {
        const { inputs } = await check({}, args);
        assert.deepEqual(inputs.incarnations, { a: "1" });
        assert.deepEqual(await diff("id", inputs, inputs), { changes: true });
    });

    it("keep the mark that they were given", async () => {
        const { inputs } = await check({ incarnations: { a: "3" } }, args);
        assert.deepEqual(inputs.incarnations, { a: "3" });
    });

    it("leave no trace in state of whether there was a preview", async () => {
        const { inputs } = await check({}, args);
        assert.ok(!("isPreview" in inputs));
    });

    it("say whom their cluster trusted before, if it is nobody too: a preview would take silence for not known yet", async () => {
        const { inputs } = await check({}, args);
        assert.deepEqual(inputs.inherited, { clientCa: "", peerCa: "" });
    });
});
