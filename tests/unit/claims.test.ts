import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { claimPlaces, type Claim } from "../../components/claims";

/** Two clusters of one program, one after the other. @returns why the second one is refused; undefined if it is not */
async function refusal(
    first: readonly [cluster: string, host: Partial<Claim>, clients?: readonly string[]],
    second: readonly [cluster: string, host: Partial<Claim>, clients?: readonly string[]],
): Promise<string | undefined> {
    await pulumi.runtime.setMocks({ newResource: ({ name }) => ({ id: name, state: {} }), call: () => ({}) });
    let message: string | undefined;
    await pulumi.runtime.runInPulumiStack(async () => {
        const claim = ([cluster, host, clients = []]: typeof first, port: number): void =>
            claimPlaces(
                cluster,
                [
                    {
                        name: "e",
                        address: "10.0.0.11",
                        clientPort: port,
                        peerPort: port + 1,
                        dataDir: `/var/lib/etcd/${cluster}`,
                        ...host,
                    },
                ],
                clients,
            );
        claim(first, 2379);
        try {
            claim(second, 12379);
        } catch (error) {
            message = (error as Error).message;
        }
        return Promise.resolve({});
    });
    await pulumi.runtime.disconnect();
    return message;
}

describe("two clusters of a program", () => {
    it("share hosts, names of hosts and the beginning of their own names", async () => {
        assert.equal(await refusal(["x", {}, ["api"]], ["x-y", {}, ["api"]]), undefined);
        assert.equal(await refusal(["x", { dataDir: "/srv/x" }], ["x-y", { dataDir: "/srv/x-y" }]), undefined);
    });

    it("share no directory, and have none within one another's on one host", async () => {
        for (const [one, other] of [
            ["/srv/x", "/srv/x"],
            ["/srv/x", "/srv/x/y"],
            ["/srv/x/y", "/srv/x"],
        ] as const) {
            const message = await refusal(["x", { dataDir: one }], ["x-y", { dataDir: other }]);
            assert.match(message ?? "", /dataDir is "\S+", wanted is a directory that cluster "x" does not have on/);
        }
        const elsewhere = { dataDir: "/srv/x/y", address: "10.0.0.12" };
        assert.equal(await refusal(["x", { dataDir: "/srv/x" }], ["x-y", elsewhere]), undefined);
    });

    it("make no name of a resource twice, of a host or of a client", async () => {
        assert.match(
            (await refusal(["x-y", { name: "e" }], ["x", { name: "y-e" }])) ?? "",
            /hosts\[0\]\.name is "y-e", wanted is a name that does not make "x-y-e" with the cluster's, as "e" of cluster "x-y" does/,
        );
        assert.match((await refusal(["x", {}, ["y-api"]], ["x-y", {}, ["api"]])) ?? "", /clients\[0\]\.name is "api"/);
    });
});
