import assert from "node:assert/strict";

import { check, diff } from "../../../components/provision/handler";
import type { ProvisionArgs, ProvisionHost } from "../../../components/provision/inputs";
import { host, inputs as ordinary } from "./declared";

/** As the engine spells what it can't know yet. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** A host whose login is made by another resource of the program. */
const unready = { ...host, address: "192.0.2.1", ssh: UNKNOWN } as unknown as ProvisionHost;
const args: ProvisionArgs = { ...ordinary, hosts: [unready], isPreview: true };

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
