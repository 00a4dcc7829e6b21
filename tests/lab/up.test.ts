import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";

import { attachLab, closeLab, openLab } from "../../lab";
import type { Lab } from "../../lab";
import { ControlGroup } from "../../lab/controlGroup";
import { byPassword, overSsh } from "./login";
import { tracesOf } from "./traces";

const environment = "labtest-up";
const hosts = ["a", "b", "c"].map((name, index) => ({ name, address: `10.99.1.${11 + index}` }));

describe("lab: an environment that is up", () => {
    let lab: Lab;

    before(async () => {
        await closeLab(environment);
        lab = await openLab({ environment, hosts });
    });
    after(() => closeLab(environment));

    const initProcesses = () => hosts.map(({ name }) => new ControlGroup(environment, name).initProcess());

    it("has Debian 12 hosts whose systemd is running without a failed unit", async () => {
        for (const host of lab.hosts) {
            const { stdout } = await host.run(
                ". /etc/os-release; echo $ID $VERSION_ID; systemctl is-system-running --wait",
            );
            assert.equal(stdout, "debian 12\nrunning\n");
        }
    });

    it("gives each host its name, its address, and a machine id of its own", async () => {
        for (const [index, host] of lab.hosts.entries()) {
            assert.equal(
                await host.output("hostname; cat /proc/sys/kernel/hostname"),
                `${hosts[index]?.name}\n`.repeat(2),
            );
            assert.match(
                await host.output("ip -4 -brief address show host0"),
                new RegExp(` ${hosts[index]?.address}/24`),
            );
            assert.match(await host.output("getent ahostsv4 localhost"), /^127\.0\.0\.1 /);
            assert.match(await host.output(`getent ahostsv4 ${host.name}`), /^127\.0\.1\.1 /);
        }
        const ids = await Promise.all(lab.hosts.map((host) => host.output("cat /etc/machine-id")));
        assert.equal(new Set(ids).size, 3);
    });

    it("lets root and a user with sudo log in by key, checking a host key that was known in advance", async () => {
        const host = lab.host("a");
        assert.equal((await overSsh(lab, host, "root", "id -un")).stdout, "root\n");
        assert.equal((await overSsh(lab, host, "admin", "id -un; sudo -n id -un")).stdout, "admin\nroot\n");
        assert.match(host.publicHostKey, /^ssh-ed25519 AAAA\S+$/);
        assert.ok(readFileSync(lab.knownHostsFile, "utf8").includes(`${host.address},a ${host.publicHostKey}\n`));
    });

    it("lets the operator log in by password, whose sudo wants it again", async () => {
        const { name, password } = lab.users.operator;
        const command = `id -un; sudo -n id -un 2>&1; echo ${password} | sudo -S -p '' id -un`;
        const output = await byPassword(lab.host("b").address, name, password, command);
        assert.equal(output, "operator\nsudo: a password is required\nroot\n");
        await assert.rejects(byPassword(lab.host("b").address, name, "wrong", "true"), /authentication/);
    });

    it("lets nobody else in by password", async () => {
        const { password } = lab.users.operator;
        for (const user of ["root", "admin"]) {
            await assert.rejects(byPassword(lab.host("b").address, user, password, "true"), /authentication/);
        }
    });

    it("puts keys where a stack's configuration reads them", () => {
        assert.equal(readFileSync(".lab/labtest-up/id_ed25519", "utf8"), lab.privateKey);
        assert.equal(statSync(".lab/labtest-up/id_ed25519").mode & 0o777, 0o600);
        assert.match(readFileSync(".lab/labtest-up/id_ed25519.pub", "utf8"), /^ssh-ed25519 /);
        assert.equal(readFileSync(".lab/labtest-up/known_hosts", "utf8"), readFileSync(lab.knownHostsFile, "utf8"));
    });

    it("installs Debian's etcd on a host without a network", async () => {
        const host = lab.host("c");
        assert.equal((await host.run("command -v etcd etcdctl")).stdout, "");
        await host.output("apt-get update && apt-get install --yes etcd-server etcd-client", { timeoutSeconds: 120 });
        assert.match(
            await host.output("etcd --version; etcdctl version"),
            /etcd Version: 3\.4\.23\n[^]*etcdctl version: 3\.4\.23\n/,
        );
    });

    it("comes up a second time without touching a host", async () => {
        const before = initProcesses();
        assert.ok(before.every((pid) => pid !== undefined));
        await lab.host("a").writeFile("/srv/kept", "kept");
        await openLab({ environment, hosts });
        assert.deepEqual(initProcesses(), before);
        assert.equal(await lab.host("a").readFile("/srv/kept"), "kept");
    });

    it("comes up from two runs at once, each of which finds all hosts", async () => {
        await lab.down();
        const labs = await Promise.all([openLab({ environment, hosts }), openLab({ environment, hosts })]);
        assert.deepEqual(
            labs.map(({ privateKey }) => privateKey === labs[0]?.privateKey),
            [true, true],
        );
        lab = labs[0]!;
        assert.ok(lab.hosts.every((host) => host.isRunning()));
        assert.equal((await overSsh(lab, lab.host("b"), "admin", "hostname")).stdout, "b\n");
    });

    it("starts the hosts that are down and leaves the others alone", async () => {
        await lab.host("a").kill();
        await lab.host("b").stop();
        const before = initProcesses();
        await openLab({ environment, hosts });
        assert.ok(lab.hosts.every((host) => host.isRunning()));
        assert.equal(initProcesses()[2], before[2]);
    });

    it("takes one more host, in another network, which all others reach", async () => {
        const added = await lab.addHost({ name: "d", address: "10.99.2.14" });
        assert.ok(added.isRunning());
        assert.equal(await lab.host("a").connect("10.99.2.14", 22), true);
        assert.equal(await added.connect("10.99.1.11", 22), true);
        lab = await attachLab(environment);
        assert.deepEqual(
            lab.hosts.map(({ name }) => name),
            ["a", "b", "c", "d"],
        );
        assert.equal((await overSsh(lab, added, "root", "hostname")).stdout, "d\n");
    });

    it("gives a host further addresses, which it keeps when it reboots", async () => {
        await lab.addAddress("d", "10.99.3.14");
        assert.equal(await lab.host("a").connect("10.99.3.14", 22), true);
        await lab.host("d").reboot();
        assert.equal(await lab.host("a").connect("10.99.3.14", 22), true);
        assert.match(
            await lab.host("d").output("ip -4 -brief address show host0"),
            /10\.99\.2\.14\/24 10\.99\.3\.14\/24/,
        );
    });

    it("leaves nothing when it goes down", async () => {
        assert.notDeepEqual(await tracesOf(environment), []);
        await lab.down();
        assert.deepEqual(await tracesOf(environment), []);
        await lab.down();
    });
});
