import assert from "node:assert/strict";

import { check, diff } from "../../../components/provision/handler";
import type { ProvisionArgs, ProvisionHost } from "../../../components/provision/inputs";
import { pack } from "../../../components/packed";
import { parseFacts } from "../../../components/provision/facts";
import type { Sight } from "../../../components/provision/sight";
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

describe("what the program has seen of hosts", () => {
    /** In order. Nobody here can log in to it, so that whoever looks at it finds a problem. */
    const fit: Sight & { readonly askedMs: number; readonly seenMs: number } = {
        address: host.address,
        facts: {
            ...parseFacts(["kernel=Linux", "systemd=yes", "address=10.0.0.11", "binaries=present"].join("\n")),
            tools: new Set(["ss", "flock", "cmp", "getent", "useradd", "tar", "gzip", "nft", "apt-get"]),
            clockSeconds: 1_700_000_000,
            isInstalled: true,
            isStaged: true,
        },
        hostKeyProblems: [],
        askedMs: 1_700_000_000_000,
        seenMs: 1_700_000_000_000,
    };

    async function isChanged(sight: Sight | undefined, agoMs = 0): Promise<boolean> {
        // Each a cluster of its own: what was just looked at is not looked at again.
        const declared = { ...ordinary, cluster: `tools${serial++}` };
        const { inputs: olds } = await check({ owner: "ours" }, { ...declared, hosts: [unready], isPreview: false });
        const before = { ...olds, hosts: declared.hosts };
        const ahead = sight && pack([sight], Date.now() - agoMs);
        const { inputs } = await check(before, { ...declared, isPreview: false, ahead });
        assert.ok(!("ahead" in inputs), "state would keep what was seen");
        return (await diff("id", before, inputs)).changes;
    }
    let serial = 0;

    it("is as good as a look from here", async () => {
        assert.equal(await isChanged(fit), false);
        assert.equal(await isChanged({ address: host.address, failure: "it can't be reached" }), true);
        assert.equal(
            await isChanged({ ...fit, askedMs: fit.askedMs + 3_600_000, seenMs: fit.seenMs + 3_600_000 }),
            true,
            "its clock is an hour off",
        );
    });

    it("has nothing done for another schedule of backups, which is given to hosts with their files", async () => {
        const declared = {
            ...ordinary,
            cluster: "tools-backed",
            backup: true,
            backupSchedule: "weekly",
            hosts: [unready],
        };
        const { inputs: olds } = await check({ owner: "ours" }, { ...declared, isPreview: false });
        const before = { ...olds, backupSchedule: "daily", hosts: [host] };
        const { inputs } = await check(before, {
            ...declared,
            hosts: [host],
            isPreview: false,
            ahead: pack([fit], Date.now()),
        });
        assert.deepEqual(await diff("id", before, inputs), { changes: false });
    });

    it("is looked at again when it is old, is of others, or is nothing", async () => {
        assert.equal(await isChanged({ ...fit, address: "10.0.0.12" }), true);
        assert.equal(await isChanged(fit, 11_000), true);
        assert.equal(await isChanged(undefined), true);
    });
});
