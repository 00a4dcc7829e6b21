import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";

import { closeLab, openLab } from "../../lab";
import type { Lab } from "../../lab";
import { execute } from "../../lab/command";
import { readEnvironment } from "../../lab/state";
import { tracesOf } from "./traces";

const one = "labtest-one";
const two = "labtest-two";

describe("lab: two environments at once", () => {
    let [first, second]: Lab[] = [];

    before(async () => {
        await Promise.all([closeLab(one), closeLab(two)]);
        [first, second] = await Promise.all([
            openLab({
                environment: one,
                hosts: [
                    { name: "a", address: "10.99.4.11" },
                    { name: "b", address: "10.99.4.12" },
                ],
            }),
            // The same names, and another address in one of the networks.
            openLab({
                environment: two,
                hosts: [
                    { name: "a", address: "10.99.4.21" },
                    { name: "b", address: "10.99.5.12" },
                ],
            }),
        ]);
    });
    after(() => Promise.all([closeLab(one), closeLab(two)]));

    it("lets hosts reach those of their own environment and no other", async () => {
        assert.equal(await first!.host("a").connect("10.99.4.12", 22), true);
        assert.equal(await second!.host("a").connect("10.99.5.12", 22), true);
        for (const address of ["10.99.4.21", "10.99.5.12"]) {
            assert.equal(await first!.host("a").connect(address, 22), false);
        }
        for (const address of ["10.99.4.11", "10.99.4.12"]) {
            assert.equal(await second!.host("a").connect(address, 22), false);
        }
    });

    it("lets this machine reach the hosts of both", async () => {
        for (const lab of [first!, second!]) {
            for (const host of lab.hosts) {
                const keys = await execute("ssh-keyscan", ["-t", "ed25519", host.address]);
                assert.ok(keys.stdout.includes(host.publicHostKey), `${lab.environment} ${host.name}: ${keys.stderr}`);
            }
        }
    });

    it("gives hosts no way out: no default route, and no answer from this machine's other addresses", async () => {
        const host = first!.host("a");
        assert.equal(await host.output("ip route show default; ip -6 route show default"), "");
        const outside = Object.values(networkInterfaces())
            .flat()
            .filter(
                (address) => address?.family === "IPv4" && !address.internal && !address.address.startsWith("10.99."),
            );
        for (const address of outside) {
            const { stderr, code } = await host.run(`ip route get ${address?.address}`);
            assert.deepEqual([code, stderr.trim()], [2, "RTNETLINK answers: Network is unreachable"]);
        }
    });

    it("keeps what is meant for an address that no host has in the environment", async () => {
        assert.match((await execute("ip", ["route", "get", "10.99.5.99"])).stdout, / dev lab[0-9a-f]{10} /);
    });

    it("refuses an address that another environment has, before it makes anything", async () => {
        const hosts = [{ name: "c", address: "10.99.4.12" }];
        await assert.rejects(
            openLab({ environment: "labtest-three", hosts }),
            /^Error: address of host "c" 10\.99\.4\.12 is taken by environment "labtest-one": bring that down, or use another$/,
        );
        assert.deepEqual(await tracesOf("labtest-three"), []);
    });

    it("refuses an address in a network that this machine is in", async () => {
        const own = Object.values(networkInterfaces())
            .flat()
            .find((address) => address?.family === "IPv4" && !address.internal && !address.address.startsWith("10."));
        const address = own?.address ?? "127.0.0.2";
        await assert.rejects(
            openLab({ environment: "labtest-three", hosts: [{ name: "c", address }] }),
            (error: Error) => error.message.includes(`"c"`) && error.message.includes(address),
        );
        assert.deepEqual(await tracesOf("labtest-three"), []);
    });

    it("refuses to move, rename or overlay a host that is there", async () => {
        const open = (name: string, address: string) => openLab({ environment: one, hosts: [{ name, address }] });
        await assert.rejects(open("a", "10.99.4.13"), /host "a" is to have 10\.99\.4\.13 and has 10\.99\.4\.11; bring/);
        await assert.rejects(open("z", "10.99.4.11"), /host "z" is to have 10\.99\.4\.11, which host "a" has; bring/);
        // Which of the two has .1 is up to who came first.
        const { gateway = "" } = readEnvironment(one) ?? {};
        await assert.rejects(open("z", gateway), {
            message: `host "z" is to have ${gateway}, which this machine has in the environment; bring environment "${one}" down first`,
        });
    });

    it("leaves the other environment alone when one goes down", async () => {
        await first!.down();
        assert.deepEqual(await tracesOf(one), []);
        assert.equal(await second!.host("a").connect("10.99.5.12", 22), true);
    });
});
