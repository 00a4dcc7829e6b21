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
        assert.match(
            refusal({ privateKey: PRIVATE_KEY, knownHosts: `10.0.0.11 ${HOST_KEY}`, port: 2222 }),
            /knownHosts has none for \[10\.0\.0\.11\]:2222 or \[a\]:2222/,
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

    it("are refused with an agent beside a private key, of which @pulumi/command would try one alone", () => {
        assert.match(
            refusal({ privateKey: PRIVATE_KEY, agentSocket: "/run/agent", hostKeys: { a: HOST_KEY } }),
            /ssh\.agentSocket is "\/run\/agent", wanted is no agent beside a private key/,
        );
    });

    it("take a user of a directory, and a bastion with a long name, and no port in it", () => {
        const address = `${"bastion-production-0123456789abcdef"}.elb.ap-southeast-2.amazonaws.com`;
        const known = { privateKey: PRIVATE_KEY, hostKeys: { a: HOST_KEY } };
        const bastion = { address, hostKey: OTHER_KEY };
        assert.deepEqual(validateCluster("tools", args({ ...known, user: "admin@corp.example.com", bastion })), []);
        assert.match(
            refusal({ ...known, bastion: { ...bastion, address: "gate.example.org:2222" } }),
            /ssh\.bastion\.address is "gate\.example\.org:2222", wanted is a host name or an IP address/,
        );
    });

    it("pass over keys of a host that nobody uses here, and are refused with nothing else", () => {
        const dss = `ssh-dss ${Buffer.from("\0\0\0\u0007ssh-dss0123456789", "latin1").toString("base64")}`;
        const knownHosts = `10.0.0.11 ${dss}\n10.0.0.11 ${HOST_KEY}\n`;
        const host = { name: "a", address: "10.0.0.11" };
        assert.deepEqual(resolveSsh({ privateKey: PRIVATE_KEY, knownHosts }, host).hostKeys, [HOST_KEY]);
        assert.match(
            refusal({ privateKey: PRIVATE_KEY, hostKeys: { a: dss } }),
            /a public key of Ed25519, ECDSA or RSA/,
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

    it("is the cluster's way where the host's own is undefined", () => {
        const ssh = { user: undefined, port: undefined, privateKey: undefined } as unknown as Partial<SshArgs>;
        const own = resolveSsh(cluster, { name: "a", address: "10.0.0.11", ssh });
        assert.deepEqual([own.user, own.port, own.privateKey], ["admin", 2222, PRIVATE_KEY]);
    });

    it("is by its own key, with its own passphrase, or by its own agent, in the place of the cluster's", () => {
        const around = { ...cluster, passphrase: "p" };
        const byOwn = (ssh: Partial<SshArgs>) => resolveSsh(around, { name: "a", address: "10.0.0.11", ssh });
        const key = byOwn({ privateKey: `${PRIVATE_KEY}other` });
        assert.deepEqual([key.privateKey, key.passphrase], [`${PRIVATE_KEY}other`, undefined]);
        const agent = byOwn({ agentSocket: "/run/agent" });
        assert.deepEqual([agent.privateKey, agent.passphrase, agent.agentSocket], [undefined, undefined, "/run/agent"]);
        const gate = byOwn({ bastion: { address: "gate", hostKey: OTHER_KEY, agentSocket: "/run/agent" } });
        assert.deepEqual([gate.privateKey, gate.passphrase], [PRIVATE_KEY, "p"]);
        assert.deepEqual([gate.bastion?.privateKey, gate.bastion?.agentSocket], [undefined, "/run/agent"]);
        assert.equal(byOwn({ bastion: false }).bastion, undefined);
    });

    it("is the same at each login by the agent of whoever is logged in", () => {
        const before = process.env.SSH_AUTH_SOCK;
        const at = (socket: string) => {
            process.env.SSH_AUTH_SOCK = socket;
            const { privateKey: _key, ...around } = cluster;
            return resolveSsh({ ...around, agentSocket: socket }, { name: "a", address: "10.0.0.11" });
        };
        try {
            assert.deepEqual(at("/tmp/ssh-1/agent.1"), at("/tmp/ssh-2/agent.2"));
            assert.equal(at("/run/user/1000/agent").agentSocket, "/run/user/1000/agent", "it lasts");
            assert.notDeepEqual(
                at("/tmp/ssh-1/agent.1"),
                resolveSsh({ ...cluster, agentSocket: "/run/other" }, { name: "a", address: "10.0.0.11" }),
            );
        } finally {
            if (before === undefined) delete process.env.SSH_AUTH_SOCK;
            else process.env.SSH_AUTH_SOCK = before;
        }
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
