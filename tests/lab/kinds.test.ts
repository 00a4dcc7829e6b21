import assert from "node:assert/strict";

import { closeLab, openLab } from "../../lab";
import type { LabSpec } from "../../lab";
import { overSsh } from "./login";
import { tracesOf } from "./traces";

const environment = "labtest-kinds";
const host = { name: "a", address: "10.99.9.11" };

describe("lab: kinds of hosts", () => {
    const open = (spec: Partial<LabSpec>) => openLab({ environment, hosts: [host], ...spec });

    beforeEach(() => closeLab(environment));
    afterEach(async () => {
        await closeLab(environment);
        assert.deepEqual(await tracesOf(environment), []);
    });

    it("Debian 13 boots to running and lets root and admin log in", async () => {
        const lab = await open({ image: "trixie" });
        const { stdout } = await lab
            .host("a")
            .run(". /etc/os-release; echo $ID $VERSION_ID; systemctl is-system-running --wait");
        assert.equal(stdout, "debian 13\nrunning\n");
        assert.equal((await overSsh(lab, lab.host("a"), "root", "hostname")).stdout, "a\n");
        assert.equal((await overSsh(lab, lab.host("a"), "admin", "sudo -n hostname")).stdout, "a\n");
        await lab.host("a").reboot();
        assert.equal((await overSsh(lab, lab.host("a"), "admin", "hostname")).stdout, "a\n");
    });

    it("Debian 13's package of etcd installs without a network", async () => {
        const lab = await open({ image: "trixie" });
        const command = "apt-get update && apt-get install --yes etcd-server && etcd --version";
        assert.match(await lab.host("a").output(command, { timeoutSeconds: 120 }), /etcd Version: 3\.5\./);
    });

    it("a small disk fills up alone, is kept over reboot and power cut, and is new after a rebuild", async () => {
        const lab = await openLab({ environment, hosts: [{ ...host, diskMegabytes: 96 }] });
        const a = lab.host("a");
        const fill = await a.run("head --bytes 200M /dev/zero > /var/lib/fill");
        assert.match(fill.stderr, /No space left on device/);
        await a.writeFile("/srv/elsewhere", "has room");
        await a.reboot();
        await a.kill();
        await a.start();
        assert.ok(Number(await a.output("stat --format %s /var/lib/fill")) > 50_000_000);
        assert.equal(await a.output("systemctl is-system-running --wait"), "running\n");
        await a.rebuild();
        assert.equal((await a.run("test -e /var/lib/fill")).code, 1);
        assert.match(await a.output("findmnt --noheadings --output FSTYPE --target /var/lib"), /ext4/);
    });

    it("storage in memory is kept over reboot and power cut", async () => {
        const lab = await open({ storage: "memory" });
        const a = lab.host("a");
        await a.writeFile("/srv/data", "kept");
        await a.reboot();
        await a.kill();
        await a.start();
        assert.equal(await a.readFile("/srv/data"), "kept");
    });

    it("an image, or a storage, cannot be changed while the environment is up", async () => {
        await open({});
        await assert.rejects(open({ image: "trixie" }), /image "trixie" is wanted where "bookworm" is in use; bring/);
        await assert.rejects(open({ storage: "memory" }), /storage "memory" is wanted where "disk" is in use; bring/);
    });
});
