import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import * as pulumi from "@pulumi/pulumi";

import type { EtcdClusterArgs } from "../../components/args";

const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yLqGHFkTqXZ1lNyEaFhYDVR5dGpFfT8pYQ4hbqBzu";

type Values = Readonly<Record<string, unknown>>;

/** By interface and property: what `@default` says, where that is a value. */
function documented(): Readonly<Record<string, Values>> {
    const text = readFileSync(join(__dirname, "..", "..", "components", "args.ts"), "utf8");
    const interfaces = text.split(/^export interface /m).slice(1);
    return Object.fromEntries(
        interfaces.map((one) => [
            /^\w+/.exec(one)![0],
            Object.fromEntries(
                [...one.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s*readonly (\w+)\?:/g)].flatMap(
                    ([, comment, property]) => {
                        const value = /@default ("[^"]*"|\d+|true|false|\[1\])(?=\s*$|:| \()/m.exec(comment!)?.[1];
                        return value === undefined ? [] : [[property, JSON.parse(value.replace("<name>", "tools"))]];
                    },
                ),
            ),
        ]),
    );
}

/** All resources that a cluster makes, as the engine would get them. */
async function resourcesOf(more: Partial<EtcdClusterArgs>, bastion: Values, ssh: Values): Promise<readonly string[]> {
    const { EtcdCluster } = await import("../../components");
    const made: string[] = [];
    await pulumi.runtime.setMocks(
        {
            newResource: ({ type, name, inputs }) => {
                made.push(JSON.stringify([type, name, inputs], null, 1));
                const text = `${type} ${name}`;
                const outputs = {
                    privateKeyPem: text,
                    certRequestPem: text,
                    certPem: text,
                    owner: "o",
                    incarnations: {},
                };
                return { id: name, state: { ...inputs, ...outputs } };
            },
            call: () => ({}),
        },
        "project",
        "stack",
    );
    await pulumi.runtime.runInPulumiStack(() => {
        new EtcdCluster("tools", {
            version: "3.6.16",
            install: { source: "debian" },
            hosts: ["a", "b", "c"].map((name, index) => ({ name, address: `10.0.0.${index + 11}` })),
            ssh: {
                ...ssh,
                password: "p",
                hostKeys: { a: HOST_KEY, b: HOST_KEY, c: HOST_KEY },
                bastion: { ...bastion, address: "10.0.0.1", hostKey: HOST_KEY },
            },
            ...more,
        });
        return Promise.resolve({});
    });
    await pulumi.runtime.disconnect();
    return made.sort();
}

describe("an argument that is left out", () => {
    it("is what its documentation says", async () => {
        const { EtcdClusterArgs, BackupArgs, SshArgs, BastionArgs, TimeoutArgs, CertificateArgs } = documented();
        const all = [EtcdClusterArgs, BackupArgs, SshArgs, BastionArgs, TimeoutArgs, CertificateArgs];
        assert.equal(all.flatMap((one) => Object.keys(one!)).length, 26);
        const said = { ...EtcdClusterArgs, backup: BackupArgs, timeouts: TimeoutArgs, certificates: CertificateArgs };

        const silent = await resourcesOf({ backup: {} }, {}, {});

        assert.ok(silent.length > 20);
        assert.deepEqual(await resourcesOf(said as Partial<EtcdClusterArgs>, BastionArgs!, SshArgs!), silent);
    });

    it("is ten seconds for each host, and thirty at least, where a member is waited for", async () => {
        const { timeoutsOf } = await import("../../components/timeouts");
        const seconds = [1, 3, 5, 7].map((hosts) => timeoutsOf(hosts).healthSeconds);
        assert.deepEqual(seconds, [30, 30, 50, 70]);
    });
});
