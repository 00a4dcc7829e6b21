import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components/args";
import { validateCluster } from "../../components/validate";

function declared(hosts: number): EtcdClusterArgs {
    return {
        version: "3.6.16",
        install: { source: "debian" },
        hosts: Array.from({ length: hosts }, (_, index) => ({ name: `h${index}`, address: `10.0.0.${index + 1}` })),
        ssh: { password: "p", insecureSkipHostKeyCheck: true },
    };
}

/** With one more setting, `timeouts.lockSeconds` or `clientPort`. */
function withValue(path: string, value: unknown): EtcdClusterArgs {
    const args = declared(1);
    const [group = "", property] = path.split(".");
    if (property === undefined) return { ...args, [group]: value };
    return { ...args, [group]: { ...args[group as keyof EtcdClusterArgs as "ssh"], [property]: value } };
}

/** What is taken at its limits, and refused beyond them; for a text, its length is limited. */
const LIMITS: readonly (readonly [path: string, least: number, most?: number])[] = [
    ["clientPort", 1024, 65535],
    ["peerPort", 1024, 65535],
    ["maxLearners", 1, 100],
    ["clusterToken", 1, 128],
    ["ssh.port", 1, 65535],
    ["ssh.connectTimeoutSeconds", 1, 600],
    ["timeouts.healthSeconds", 1, 86400],
    ["timeouts.syncSeconds", 1, 86400],
    ["timeouts.changeSeconds", 1, 86400],
    ["timeouts.lockSeconds", 0, 86400],
    ["timeouts.commandSeconds", 1, 86400],
    ["backup.keep", 1],
    ["certificates.caValidityHours", 8760, 2562047],
    ["certificates.validityHours", 721, 87600],
    ["certificates.earlyRenewalHours", 0, 8759],
    ["tuning.heartbeatInterval", 1, 200],
    ["tuning.electionTimeout", 500, 50000],
];

describe("an argument with limits", () => {
    for (const [path, least, most = Number.MAX_SAFE_INTEGER] of LIMITS) {
        const valueOf = (size: number): unknown => (path === "clusterToken" ? "t".repeat(size) : size);

        it(`is taken at them, and refused beyond: ${path}`, () => {
            for (const inside of [least, most]) validateCluster("tools", withValue(path, valueOf(inside)));
            for (const beyond of [least - 1, most + 1])
                assert.throws(
                    () => validateCluster("tools", withValue(path, valueOf(beyond))),
                    (error: Error) => error.message.includes(path.split(".").at(-1)!),
                );
        });
    }

    it("is the name of a cluster, of a host and of a client, by its length", () => {
        const named = (size: number): EtcdClusterArgs => ({
            ...declared(1),
            hosts: [{ name: "h".repeat(size), address: "10.0.0.1" }],
            clients: [{ name: "c".repeat(size) }],
        });
        validateCluster("t".repeat(40), named(63));
        assert.throws(() => validateCluster("t".repeat(41), named(63)), /name is "t+", wanted is 1 to 40 letters/);
        assert.throws(
            () => validateCluster("tools", named(64)),
            /hosts\[0\]\.name .*1 to 63 [^]*clients\[0\]\.name .*1 to 63/,
        );
    });

    it("is a list of seven hosts, beyond which it is taken with a warning", () => {
        const warned = (hosts: number): string => validateCluster("tools", declared(hosts)).slice(0, -1).join();
        assert.equal(warned(7), "");
        assert.match(warned(9), /^9 members write slower than 7 and are seldom safer/);
    });
});
