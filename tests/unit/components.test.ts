import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";
import type { MockResourceArgs } from "@pulumi/pulumi/runtime";

import type { LateHostCertificates } from "../../components/certificates";
import { settingsOf } from "./host/settings";

/** Every resource that a program registered, as the engine would get it. */
let registered: MockResourceArgs[];

async function withEngine<T>(build: () => T): Promise<T> {
    registered = [];
    await pulumi.runtime.setMocks(
        {
            newResource: (args) => {
                registered.push(args);
                return { id: `${args.name}-id`, state: { ...args.inputs, ...outputsOf(args) } };
            },
            call: () => ({}),
        },
        "project",
        "stack",
    );
    const built = build();
    await pulumi.runtime.disconnect();
    return built;
}

/** The outputs that the real provider would compute: told apart by name, secret where they are secret. */
function outputsOf({ type, name }: MockResourceArgs): Record<string, unknown> {
    const text = `${type} ${name}\n`;
    if (type === "tls:index/privateKey:PrivateKey") return { privateKeyPem: secretValue(`key ${text}`) };
    if (type === "tls:index/certRequest:CertRequest") return { certRequestPem: `request ${text}` };
    return type.startsWith("tls:") ? { certPem: `cert ${text}` } : {};
}

/** A secret, as it goes over the wire. */
function secretValue(value: string): unknown {
    return { [pulumi.runtime.specialSigKey]: pulumi.runtime.specialSecretSig, value };
}

function unwrapSecret(value: unknown) {
    assert.ok(pulumi.runtime.isRpcSecret(value), "not a secret");
    return pulumi.runtime.unwrapRpcSecret(value);
}

function valueOf<T>(output: pulumi.Output<T>): Promise<{ value: T; isSecret: boolean }> {
    return new Promise((resolve) => {
        output.apply((value) => void pulumi.isSecret(output).then((isSecret) => resolve({ value, isSecret })));
    });
}

const of = (type: string) => registered.filter((resource) => resource.type.endsWith(`:${type}`));

describe("ClusterCertificates", () => {
    async function certificatesFor(hosts: readonly string[], clients: readonly string[], more = {}) {
        const { ClusterCertificates } = await import("../../components/certificates");
        const list = hosts.map((name, index) => ({ name, address: `10.0.0.${index + 11}` }));
        return withEngine(() => new ClusterCertificates("tools", { cluster: "tools", hosts: list, clients, ...more }));
    }

    it("has an authority for peers and one for clients, each on a key of its own", async () => {
        await certificatesFor(["a"], []);
        const authorities = of("SelfSignedCert");
        assert.deepEqual(authorities.map((one) => one.name).sort(), ["tools-client-ca", "tools-peer-ca"]);
        for (const { inputs } of authorities) {
            assert.equal(inputs.isCaCertificate, true);
            assert.deepEqual(inputs.allowedUses, ["cert_signing", "crl_signing"]);
        }
        assert.equal(new Set(authorities.map(({ inputs }) => JSON.stringify(inputs.privateKeyPem))).size, 2);
    });

    it("warns of an authority's end from when a new certificate could outlive it", async () => {
        const { authorityEnds } = await import("../../components/certificates");
        const now = Date.parse("2026-11-23T12:00:00Z");
        const warning = (end: string | undefined) => authorityEnds("tools client CA", end, 48, now);
        assert.equal(warning("2026-11-25T12:00:01Z"), undefined);
        assert.match(warning("2026-11-25T11:59:59Z") ?? "", /^the authority "tools client CA" ends on 2026-11-25, /);
        assert.match(warning("2026-11-22T00:00:00Z") ?? "", /ends on 2026-11-22/);
        assert.equal(warning(undefined), undefined);
    });

    it("signs peer certificates by the peers' authority and all others by the clients'", async () => {
        await certificatesFor(["a", "b"], ["api"]);
        const signers = Object.fromEntries(
            of("LocallySignedCert").map(({ name, inputs }) => [name, /tools-\w+-ca/.exec(inputs.caCertPem)?.[0]]),
        );
        assert.deepEqual(signers, {
            "tools-a-server": "tools-client-ca",
            "tools-a-peer": "tools-peer-ca",
            "tools-b-server": "tools-client-ca",
            "tools-b-peer": "tools-peer-ca",
            "tools-operator": "tools-client-ca",
            "tools-api-client": "tools-client-ca",
        });
    });

    it("lets members serve and call each other, and clients call only", async () => {
        await certificatesFor(["a"], ["api"]);
        for (const { name, inputs } of of("LocallySignedCert")) {
            const serves = inputs.allowedUses.includes("server_auth");
            assert.equal(serves, /-(server|peer)$/.test(name), name);
            assert.ok(inputs.allowedUses.includes("client_auth"));
            assert.equal(inputs.earlyRenewalHours, 720);
        }
    });

    it("leaves every resource as it was when the one authority of before is named", async () => {
        const text = () => JSON.stringify(registered.map(({ type, name, inputs }) => [type, name, inputs]));
        await certificatesFor(["a"], ["api"]);
        const before = text();
        await certificatesFor(["a"], ["api"], { authorities: [1] });
        assert.equal(text(), before);
    });

    it("has the first of several authorities sign, and trusts all of them, in one order whoever signs", async () => {
        const signers = () =>
            new Set(of("LocallySignedCert").map(({ inputs }) => /tools-\w+-ca.*/.exec(inputs.caCertPem)?.[0]));
        const one = await certificatesFor(["a"], ["api"], { authorities: [1, 2] });
        assert.deepEqual(signers(), new Set(["tools-client-ca", "tools-peer-ca"]));
        const names = of("SelfSignedCert").map(({ name, inputs }) => [name, inputs.subject.commonName]);
        assert.deepEqual(names.sort(), [
            ["tools-client-ca", "tools client CA"],
            ["tools-client-ca-2", "tools client CA 2"],
            ["tools-peer-ca", "tools peer CA"],
            ["tools-peer-ca-2", "tools peer CA 2"],
        ]);
        const before = (await valueOf(one.clientCa)).value;
        assert.match(before, /tools-client-ca\n.*tools-client-ca-2\n$/);

        const other = await certificatesFor(["a"], ["api"], { authorities: [2, 1] });
        assert.deepEqual(signers(), new Set(["tools-client-ca-2", "tools-peer-ca-2"]));
        assert.equal((await valueOf(other.clientCa)).value, before);
        assert.equal((await valueOf(other.operator.ca)).value, before);
        assert.equal((await valueOf(other.hosts["a"]!.peerCa)).value, before.replaceAll("client", "peer"));
    });

    it("has nothing of an authority that is declared no more", async () => {
        const { clientCa } = await certificatesFor(["a"], ["api"], { authorities: [2] });
        assert.deepEqual(
            of("SelfSignedCert")
                .map(({ name }) => name)
                .sort(),
            ["tools-client-ca-2", "tools-peer-ca-2"],
        );
        assert.doesNotMatch((await valueOf(clientCa)).value, /ca\n/);
    });

    it("names a member by its address, its name and the common name that peers ask for", async () => {
        await certificatesFor(["a"], []);
        const request = of("CertRequest").find(({ name }) => name === "tools-a-member");
        assert.deepEqual(request?.inputs.ipAddresses, ["10.0.0.11"]);
        assert.deepEqual(request?.inputs.dnsNames, ["a"]);
        assert.equal(request?.inputs.subject.commonName, "tools-peer");
    });

    it("leaves everybody else's resources as they are when a host or a client comes", async () => {
        await certificatesFor(["a"], ["api"]);
        const before = new Map(registered.map((one) => [`${one.type} ${one.name}`, JSON.stringify(one.inputs)]));
        await certificatesFor(["a", "b"], ["api", "backup"]);
        const after = new Map(registered.map((one) => [`${one.type} ${one.name}`, JSON.stringify(one.inputs)]));
        for (const [resource, inputs] of before) assert.equal(after.get(resource), inputs, resource);
    });

    it("keeps names of hosts and clients apart", async () => {
        await certificatesFor(["operator", "x", "x-client"], ["operator", "x", "peer"]);
        const urns = registered.map(({ type, name }) => `${type} ${name}`);
        assert.equal(new Set(urns).size, urns.length);
    });

    it("makes keys of the kind that is asked for, ECDSA P-256 unless told otherwise", async () => {
        await certificatesFor(["a"], []);
        for (const { inputs } of of("PrivateKey")) assert.deepEqual(inputs, { algorithm: "ECDSA", ecdsaCurve: "P256" });
        await certificatesFor(["a"], [], { algorithm: "RSA-4096" });
        for (const { inputs } of of("PrivateKey")) assert.deepEqual(inputs, { algorithm: "RSA", rsaBits: 4096 });
    });

    it("gives keys away as secrets only", async () => {
        const certificates = await certificatesFor(["a"], ["api"]);
        const keys = [
            certificates.operator.key,
            certificates.clients["api"]!.key,
            certificates.hosts["a"]!.serverKey,
            certificates.hosts["a"]!.peerKey,
        ];
        for (const key of keys) assert.equal((await valueOf(key)).isSecret, true);
        assert.equal((await valueOf(certificates.clientCa)).isSecret, false);
    });
});

describe("EtcdHost", () => {
    const ssh = {
        address: "10.0.0.11",
        port: 22,
        user: "admin",
        privateKey: "private key",
        hostKeys: ["ssh-ed25519 AAAA"],
        insecureSkipHostKeyCheck: false,
        sudo: true,
        sudoPassword: "hunter2",
        connectTimeoutSeconds: 15,
    };

    function certificates(): LateHostCertificates {
        const text = (value: string) => pulumi.output(`${value}\n`);
        const secret = (value: string) => pulumi.secret(`${value}\n`);
        return {
            clientCa: text("client ca"),
            peerCa: text("peer ca"),
            serverCert: text("server"),
            serverKey: secret("server key"),
            peerCert: text("peer"),
            peerKey: secret("peer key"),
        };
    }

    async function host() {
        const { EtcdHost } = await import("../../components/etcdHost");
        return withEngine(
            () =>
                new EtcdHost("tools-a", {
                    settings: settingsOf(),
                    ssh,
                    certificates: certificates(),
                    owner: "state-1",
                }),
        );
    }

    it("stages with one command that is a constant without secrets", async () => {
        await host();
        const commands = of("Command");
        assert.equal(commands.length, 1);
        const { create, update, environment, logging } = commands[0]!.inputs;
        // The engine's plugin runs `create` again for an update, and there is nothing to say that is not the same.
        assert.equal(update, undefined);
        assert.doesNotMatch(create, /hunter2|key\n/);
        assert.equal(environment, undefined);
        assert.equal(logging, "none");
        assert.equal(commands[0]!.inputs.delete, undefined);
    });

    it("sends sudo's password and the files over stdin, as a secret", async () => {
        await host();
        const sent = unwrapSecret(of("Command")[0]!.inputs.stdin);
        assert.ok(typeof sent === "string");
        assert.ok(sent.startsWith("hunter2\n"));
        assert.ok(sent.includes("server key\n"));
    });

    it("checks the host's key", async () => {
        await host();
        assert.equal(unwrapSecret(of("Command")[0]!.inputs.connection).hostKey, "ssh-ed25519 AAAA");
    });

    it("checks the key with which the plugin is surest to get in, where a host has several", async () => {
        const { commandConnection } = await import("../../components/connection");
        const hostKeys = ["ssh-ed25519 AAAA1", "ssh-rsa AAAA2", "ecdsa-sha2-nistp256 AAAA3"];
        assert.equal(commandConnection({ ...ssh, hostKeys }).hostKey, "ecdsa-sha2-nistp256 AAAA3");
        assert.equal(commandConnection({ ...ssh, hostKeys: hostKeys.slice(0, 2) }).hostKey, "ssh-ed25519 AAAA1");
        assert.equal(commandConnection({ ...ssh, hostKeys, insecureSkipHostKeyCheck: true }).hostKey, undefined);
    });

    it("is asked by our own connections for its keys in the plugin's order, and told where the plugin would refuse it", async () => {
        const { hostKeyAlgorithms, whyCommandRefuses } = await import("../../components/remote/hostKeys");
        const line = (type: string, text: string): string => {
            const length = Buffer.alloc(4);
            length.writeUInt32BE(type.length);
            return `${type} ${Buffer.concat([length, Buffer.from(type + text)]).toString("base64")}`;
        };
        const blob = (key: string): Buffer => Buffer.from(key.split(" ")[1]!, "base64");
        const [old, now, stale] = [
            line("ssh-ed25519", "old"),
            line("ssh-ed25519", "now"),
            line("ecdsa-sha2-nistp256", "stale"),
        ];
        const asked = hostKeyAlgorithms([now, stale].map((key) => ({ type: key.split(" ")[0]!, blob: blob(key) })));
        assert.deepEqual(asked.slice(0, 2), ["ecdsa-sha2-nistp256", "ssh-ed25519"]);

        const why = (...hostKeys: readonly string[]) =>
            whyCommandRefuses({ address: "10.0.0.1", user: "root", hostKeys }, blob(now));
        assert.match(why(old, now) ?? "", /would be given ssh-ed25519 SHA256:/);
        assert.match(why(now, stale) ?? "", /would be given ecdsa-sha2-nistp256 SHA256:/);
        assert.equal(why(now, old), undefined);
        assert.equal(why(now), undefined);
    });

    it("is reached through the bastion by the plugin and by our own connections alike", async () => {
        const { commandConnection, sshTarget } = await import("../../components/connection");
        const { sudoPassword: password, ...bastion } = {
            ...ssh,
            address: "10.0.0.1",
            user: "jump",
            sudo: false,
            hostKeys: ["ssh-rsa AAAA"],
        };
        assert.equal(password, "hunter2");
        const through = { ...ssh, privateKey: pulumi.secret("private key"), bastion };
        const { proxy } = commandConnection(through) as unknown as { proxy: Record<string, unknown> };
        assert.deepEqual([proxy["host"], proxy["user"], proxy["hostKey"]], ["10.0.0.1", "jump", "ssh-rsa AAAA"]);

        const { value, isSecret } = await valueOf(sshTarget(through));
        assert.equal(isSecret, true);
        assert.equal(value.privateKey, "private key");
        assert.equal(value.bastion?.user, "jump");
    });

    it("tells the staged generation's digest, which is no secret", async () => {
        const { renderGeneration } = await import("../../components/host/generation");
        const { value, isSecret } = await valueOf((await host()).generation);
        assert.equal(value, renderGeneration(settingsOf(), { clientCa: "client ca\n", peerCa: "peer ca\n" }).digest);
        assert.equal(isSecret, false);
    });
});
