import assert from "node:assert/strict";

import type { BastionArgs, EtcdClusterArgs, SshArgs } from "../../components/args";
import { InputError } from "../../components/inputError";
import { resolveSsh } from "../../components/resolveSsh";
import { validateCluster } from "../../components/validate";

const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yLqGHFkTqXZ1lNyEaFhYDVR5dGpFfT8pYQ4hbqBzu";
const OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILL11n1wfQ5dQ9OaAEXpR1qXgJ6EyCkC8l1LSVTpKDqj";
const PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n-----END OPENSSH PRIVATE KEY-----\n";

function args(ssh: SshArgs, own?: Partial<SshArgs>): EtcdClusterArgs {
    return {
        version: "3.6.16",
        install: { source: "debian" },
        hosts: [{ name: "a", address: "10.0.0.11", ...(own && { ssh: own }) }],
        ssh,
    };
}

function refusal(ssh: SshArgs, own?: Partial<SshArgs>): string {
    try {
        validateCluster("tools", args(ssh, own));
    } catch (error) {
        assert.ok(error instanceof InputError);
        return error.message;
    }
    assert.fail("accepted");
}

describe("ssh arguments", () => {
    it("are refused without a way to log in", () => {
        assert.match(
            refusal({ hostKeys: { a: HOST_KEY } }),
            /ssh is without a way to log in for host "a", wanted is one of privateKey, agentSocket and password/,
        );
    });

    it("are refused without a host key, and told where it is found and what goes without", () => {
        const told = refusal({ privateKey: PRIVATE_KEY });
        assert.match(told, /ssh\.hostKeys\.a is missing, wanted is the public key of the host/);
        assert.match(told, /cat \/etc\/ssh\/ssh_host_ed25519_key\.pub/);
        assert.match(told, /insecureSkipHostKeyCheck/);
        assert.match(
            refusal({ privateKey: PRIVATE_KEY, knownHosts: `10.0.0.99 ${HOST_KEY}` }),
            /knownHosts has none for 10\.0\.0\.11 or a/,
        );
    });

    it("go without host keys only when told to, and loudly", () => {
        const warnings = validateCluster("tools", args({ privateKey: PRIVATE_KEY, insecureSkipHostKeyCheck: true }));
        assert.match(warnings.join(), /host keys of a are NOT checked \(insecureSkipHostKeyCheck\)/);
    });

    it("are refused with a host key that can't be one", () => {
        for (const key of [
            "AAAA",
            "ssh-ed25519",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJ4yLqGHFkTqXZ1lNyEaFhYDVR5dGpFfT8pYQ4hbqBzu",
            "SHA256:abc",
        ]) {
            assert.match(
                refusal({ privateKey: PRIVATE_KEY, hostKeys: { a: key } }),
                /ssh\.hostKeys\.a is ".*", wanted is a public key/,
            );
        }
    });

    it("are refused with a public key or a path in the private one's place, which is never shown", () => {
        assert.match(
            refusal({ privateKey: HOST_KEY, hostKeys: { a: HOST_KEY } }),
            /ssh\.privateKey is a public key, wanted is the text of a private key/,
        );
        const told = refusal({ privateKey: "/root/.ssh/hunter2", hostKeys: { a: HOST_KEY } });
        assert.match(told, /read the file, don't give its path/);
        assert.doesNotMatch(told, /hunter2/);
    });

    it("are refused with a bastion that has no host key", () => {
        const bastion: BastionArgs = { address: "gate.example.org" };
        assert.match(
            refusal({ privateKey: PRIVATE_KEY, hostKeys: { a: HOST_KEY }, bastion }),
            /ssh\.bastion\.hostKey is missing/,
        );
        const known = { ...bastion, hostKey: OTHER_KEY };
        assert.deepEqual(
            validateCluster("tools", args({ privateKey: PRIVATE_KEY, hostKeys: { a: HOST_KEY }, bastion: known })),
            [],
        );
    });

    it("are told once, not for each host", () => {
        const two = {
            ...args({ privateKey: PRIVATE_KEY, user: "no one", hostKeys: { a: HOST_KEY } }),
            allowEvenSize: true,
        };
        const hosts = [two.hosts[0]!, { name: "b", address: "10.0.0.12", ssh: { hostKeys: { b: HOST_KEY } } }];
        assert.throws(
            () => validateCluster("tools", { ...two, hosts }),
            (error: Error) => error.message.split("ssh.user").length === 2,
        );
    });
});

describe("how a host is reached", () => {
    const cluster: SshArgs = {
        privateKey: PRIVATE_KEY,
        user: "admin",
        port: 2222,
        hostKeys: { a: HOST_KEY, b: OTHER_KEY },
        sudoPassword: "x",
    };

    it("is the cluster's way, with the host's own key", () => {
        assert.deepEqual(resolveSsh(cluster, { name: "a", address: "10.0.0.11" }), {
            address: "10.0.0.11",
            port: 2222,
            user: "admin",
            privateKey: PRIVATE_KEY,
            hostKeys: [HOST_KEY],
            insecureSkipHostKeyCheck: false,
            sudo: true,
            sudoPassword: "x",
            connectTimeoutSeconds: 15,
        });
    });

    it("is the host's own way where it says so", () => {
        const own = resolveSsh(cluster, {
            name: "c",
            address: "10.0.0.13",
            ssh: { user: "root", port: 22, hostKeys: { c: [OTHER_KEY, HOST_KEY] } },
        });
        assert.equal(own.user, "root");
        assert.equal(own.sudo, false);
        assert.equal(own.port, 22);
        assert.deepEqual(own.hostKeys, [OTHER_KEY, HOST_KEY]);
    });

    it("is with no other key than the host's own, whatever the host is called", () => {
        assert.deepEqual(resolveSsh(cluster, { name: "constructor", address: "10.0.0.14" }).hostKeys, []);
    });

    it("takes host keys from known_hosts by address and port, or by name", () => {
        const knownHosts = `[10.0.0.11]:2222 ${HOST_KEY}\n10.0.0.11 ${OTHER_KEY}\n`;
        const rest: SshArgs = { privateKey: PRIVATE_KEY, port: 2222 };
        assert.deepEqual(resolveSsh({ ...rest, knownHosts }, { name: "a", address: "10.0.0.11" }).hostKeys, [HOST_KEY]);
        assert.deepEqual(resolveSsh({ ...rest, port: 22, knownHosts }, { name: "a", address: "10.0.0.11" }).hostKeys, [
            OTHER_KEY,
        ]);
    });

    it("goes through the bastion with the credentials around it, unless it has its own", () => {
        const bastion = { address: "10.0.0.1", hostKey: OTHER_KEY, user: "jump" };
        const through = resolveSsh({ ...cluster, bastion }, { name: "a", address: "10.0.0.11" }).bastion;
        assert.equal(through?.user, "jump");
        assert.equal(through.port, 22);
        assert.equal(through.privateKey, PRIVATE_KEY);
        assert.deepEqual(through.hostKeys, [OTHER_KEY]);
        assert.equal(through.sudo, false);
    });
});
