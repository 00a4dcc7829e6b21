import assert from "node:assert/strict";

import type { LabSpec } from "../../lab";
import { containsAddress, freeGateway } from "../../lab/reserve";
import { validateSpec } from "../../lab/spec";
import { collectHosts, readStackFile, stackOfFile } from "../../lab/stackFile";

describe("lab: what an environment may be", () => {
    const host = { name: "a", address: "10.99.1.1" };
    const wrong: readonly (readonly [string, LabSpec, RegExp])[] = [
        ["a name with a path in it", { environment: "../x", hosts: [host] }, /environment "\.\.\/x" is no valid name/],
        [
            "the name of the directory that has the stacks' state",
            { environment: "state", hosts: [host] },
            /something else is kept under it/,
        ],
        ["a name that is too long", { environment: "x".repeat(41), hosts: [host] }, /no valid name/],
        [
            "an unknown image",
            { environment: "x", hosts: [host], image: "sid" as "trixie" },
            /image "sid" is unknown: use one of/,
        ],
        [
            "a host name with a space",
            { environment: "x", hosts: [{ ...host, name: "a b" }] },
            /host "a b" has no valid name/,
        ],
        [
            "an address that is none",
            { environment: "x", hosts: [{ ...host, address: "10.1" }] },
            /"10\.1", which is no IPv4/,
        ],
        [
            "a loopback address",
            { environment: "x", hosts: [{ ...host, address: "127.0.0.1" }] },
            /no IPv4 address of a host/,
        ],
        [
            "a network's address",
            { environment: "x", hosts: [{ ...host, address: "10.1.1.0" }] },
            /no IPv4 address of a host/,
        ],
        [
            "two hosts with one name",
            { environment: "x", hosts: [host, { ...host, address: "10.99.1.2" }] },
            /"a" is declared twice/,
        ],
        [
            "two hosts with one address",
            { environment: "x", hosts: [host, { ...host, name: "b" }] },
            /10\.99\.1\.1 is declared twice/,
        ],
        [
            "a bastion with a host's address",
            { environment: "x", hosts: [host], bastion: { ...host, name: "b" } },
            /declared twice/,
        ],
        [
            "a disk that holds nothing",
            { environment: "x", hosts: [{ ...host, diskMegabytes: 10 }] },
            /10 MiB: at least 64/,
        ],
    ];
    for (const [what, spec, message] of wrong) {
        it(`refuses ${what}`, () => assert.throws(() => validateSpec(spec), message));
    }

    it("accepts host names with dots", () => {
        validateSpec({ environment: "x-1", hosts: [{ name: "etcd-1.tools.example.org", address: "172.16.0.9" }] });
    });

    it("takes an address for this machine that no host has", () => {
        assert.equal(freeGateway([{ name: "a", address: "10.1.2.3" }]), "10.1.2.1");
        assert.equal(freeGateway([{ name: "a", address: "10.1.2.1" }]), "10.1.2.254");
        assert.equal(freeGateway([{ name: "a", address: "10.1.2.3" }], new Set(["10.1.2.1"])), "10.1.2.254");
        const all = Array.from({ length: 254 }, (_, index) => ({ name: `h${index}`, address: `10.1.2.${index + 1}` }));
        assert.throws(() => freeGateway(all), /no address is left/);
        assert.throws(() => freeGateway([]), /no hosts/);
    });

    it("knows which network contains an address", () => {
        assert.equal(containsAddress("10.0.0.0/8", "10.255.0.1"), true);
        assert.equal(containsAddress("10.0.0.0/8", "11.0.0.1"), false);
        assert.equal(containsAddress("192.168.4.128/25", "192.168.4.127"), false);
        assert.equal(containsAddress("192.168.4.5/32", "192.168.4.5"), true);
    });
});

describe("lab: hosts that a stack's file declares", () => {
    const [a, b, c] = ["a", "b", "c"].map((name, index) => ({ name, address: `10.1.1.${index + 1}` }));

    it("are in lists called hosts, however deep", () => {
        const config = { "pulumi-etcd:clusters": [{ name: "one", hosts: [a, b] }], "pulumi-etcd:hosts": [c] };
        assert.deepEqual(collectHosts({ config }).hosts, [a, b, c]);
    });

    it("count once where two clusters share them", () => {
        assert.deepEqual(collectHosts({ clusters: [{ hosts: [a, b] }, { hosts: [b, a] }] }).hosts, [a, b]);
    });

    it("are no clients, no other lists, and nothing without an address", () => {
        assert.deepEqual(collectHosts({ clients: [a], machines: [b], hosts: [{ name: "x" }, "y", null, c] }).hosts, [
            c,
        ]);
    });

    it("may have a bastion, named or not, which may be one of them", () => {
        const hop = { address: "10.1.9.9", user: "root" };
        assert.deepEqual(collectHosts({ hosts: [a], ssh: { bastion: hop } }), {
            hosts: [a],
            bastion: { name: "bastion", address: "10.1.9.9" },
        });
        assert.deepEqual(collectHosts({ hosts: [a, b], ssh: { bastion: { address: b!.address } } }), {
            hosts: [a],
            bastion: b,
        });
    });

    it("of the committed stacks can be read", () => {
        for (const stack of ["tools", "toolsbeta", "lab"]) {
            const spec = readStackFile(stack);
            validateSpec(spec);
            assert.ok(spec.hosts.length > 0);
        }
    });

    it("are missed with one sentence where there is no file, or none in it", () => {
        assert.throws(
            () => readStackFile("nowhere"),
            /stack "nowhere" has no configuration: .*Pulumi\.nowhere\.yaml is missing/,
        );
        assert.throws(() => readStackFile("x", "package.json"), /package\.json declares no hosts/);
    });

    it("belong to the stack that the file is named after", () => {
        assert.equal(stackOfFile(".lab/Pulumi.lab.yaml"), "lab");
        assert.equal(stackOfFile("hosts.yaml"), undefined);
    });
});
