import assert from "node:assert/strict";

import { attachLab, closeLab, openLab } from "../../lab";
import type { Lab } from "../../lab";
import { overSsh } from "./login";

const environment = "labtest-readdress";

describe("lab: a host that gets another address", () => {
    let lab: Lab;

    before(async () => {
        await closeLab(environment);
        const hosts = ["a", "b"].map((name, index) => ({ name, address: `10.99.17.${11 + index}` }));
        lab = await openLab({ environment, hosts });
    });
    after(() => closeLab(environment));

    const addresses = async (name: string): Promise<readonly string[]> => {
        const text = await lab.host(name).output("ip -4 -oneline address show dev host0");
        return [...text.matchAll(/inet (\S+)\//g)].map((match) => match[1]!);
    };

    it("is reached there, with the same key, and no more where it was", async () => {
        await lab.host("b").writeFile("/srv/data", "kept");
        await lab.readdress("b", "10.99.17.22");
        assert.equal(lab.host("b").address, "10.99.17.22");
        assert.deepEqual(await addresses("b"), ["10.99.17.22"]);
        assert.equal((await overSsh(lab, lab.host("b"), "root", "cat /srv/data")).stdout, "kept");
        assert.equal(await lab.host("a").connect("10.99.17.22", 22), true);
        assert.equal(await lab.host("a").connect("10.99.17.12", 22), false);
    });

    it("has it after a reboot, and for whoever attaches later", async () => {
        await lab.host("b").reboot();
        assert.deepEqual(await addresses("b"), ["10.99.17.22"]);
        assert.equal((await attachLab(environment)).host("b").address, "10.99.17.22");
    });

    it("may have both for a time, and move to another network", async () => {
        await lab.addAddress("b", "10.99.18.12");
        for (const address of ["10.99.17.22", "10.99.18.12"])
            assert.equal(await lab.host("a").connect(address, 22), true);
        await lab.readdress("b", "10.99.18.12");
        assert.deepEqual(await addresses("b"), ["10.99.18.12"]);
        assert.equal(await lab.host("a").connect("10.99.18.12", 22), true);
        assert.equal(await lab.host("b").connect("10.99.17.11", 22), true);
    });

    it("leaves its old address to others, and gets none that another host has", async () => {
        await lab.addAddress("a", "10.99.17.12");
        assert.deepEqual(await addresses("a"), ["10.99.17.11", "10.99.17.12"]);
        await assert.rejects(lab.readdress("b", "10.99.17.11"), /which host "a" has/);
    });
});
