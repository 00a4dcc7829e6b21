import assert from "node:assert/strict";

import { closeLab, openLab } from "../../lab";
import type { Lab } from "../../lab";
import { execute } from "../../lab/command";
import { overSsh } from "./login";

const environment = "labtest-bastion";

describe("lab: a bastion", () => {
    let lab: Lab;

    before(async () => {
        await closeLab(environment);
        lab = await openLab({
            environment,
            hosts: [{ name: "a", address: "10.99.7.11" }],
            bastion: { name: "hop", address: "10.99.8.5" },
        });
    });
    after(() => closeLab(environment));

    it("is the only way to the other hosts", async () => {
        const direct = await execute("ssh", [
            ...["-i", lab.privateKeyFile, "-o", "ConnectTimeout=1", "-o", `UserKnownHostsFile=${lab.knownHostsFile}`],
            "root@10.99.7.11",
            "true",
        ]);
        assert.equal(direct.code, 255);
        assert.match(direct.stderr, /timed out/i);
        assert.equal((await overSsh(lab, lab.bastion!, "root", "hostname")).stdout, "hop\n");
        assert.equal((await overSsh(lab, lab.host("a"), "admin", "hostname")).stdout, "a\n");
        assert.match(await lab.host("a").journal("ssh"), /Accepted publickey for admin from 10\.99\.8\.5 /);
    });

    it("keeps hiding a host that is added later", async () => {
        const added = await lab.addHost({ name: "b", address: "10.99.7.12" });
        const keys = await execute("ssh-keyscan", ["-T", "1", added.address]);
        assert.equal(keys.stdout, "");
        assert.equal(await lab.bastion!.connect(added.address, 22), true);
    });

    it("cannot be changed while the environment is up", async () => {
        const hosts = [{ name: "a", address: "10.99.7.11" }];
        const bastion = { name: "other", address: "10.99.8.6" };
        await assert.rejects(
            openLab({ environment, hosts, bastion }),
            /bastion "other" is wanted where "hop" is one; bring/,
        );
    });
});
