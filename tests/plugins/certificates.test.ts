import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";

import { authorities, changedProgram, createdProgram, keyTypes } from "./certificateCases";
import { Project, type Run, type StateResource } from "./project";
import { exchangeOverTls } from "./tlsExchange";

type Resources = Readonly<Record<string, StateResource>>;

describe("keys and certificates", function () {
    this.timeout(120_000);

    let project: Project;
    let first: Run, again: Run, previewed: Run, second: Run;
    let created: Resources, updated: Resources, refreshed: Resources;
    let state: string;

    before(async () => {
        project = await Project.open("certificates.ts");
        first = await project.up(createdProgram);
        assert.equal(first.code, 0, first.text);
        created = await project.resources();
        state = await project.export();
        again = await project.up(createdProgram);
        await project.refresh();
        refreshed = await project.resources();
        previewed = await project.preview(changedProgram);
        second = await project.up(changedProgram);
        assert.equal(second.code, 0, second.text);
        updated = await project.resources();
    });

    after(() => project?.close());

    describe("a private key", () => {
        for (const [name, { kind, details, header }] of Object.entries(keyTypes)) {
            it(`of kind ${name} is written in all its formats`, () => {
                const key = createPrivateKey(secret(created, name, "privateKeyPem"));
                assert.equal(key.asymmetricKeyType, kind);
                assert.deepEqual({ ...key.asymmetricKeyDetails, ...details }, { ...key.asymmetricKeyDetails });
                assert.ok(secret(created, name, "privateKeyPem").startsWith(`-----BEGIN ${header}-----\n`));
                const pkcs8 = secret(created, name, "privateKeyPemPkcs8");
                assert.equal(pkcs8, key.export({ type: "pkcs8", format: "pem" }));
                const publicPem = createPublicKey(key).export({ type: "spki", format: "pem" });
                assert.equal(output(created, name, "publicKeyPem"), publicPem);
            });

            it(`of kind ${name} has OpenSSH's formats where OpenSSH has one`, () => {
                const authorized = String(output(created, name, "publicKeyOpenssh") ?? "");
                if (name === "p224") return assert.equal(authorized, "");
                const blob = Buffer.from(authorized.split(" ")[1] ?? "", "base64");
                const digest = (algorithm: string): Buffer => createHash(algorithm).update(blob).digest();
                assert.equal(
                    output(created, name, "publicKeyFingerprintSha256"),
                    `SHA256:${digest("sha256").toString("base64").replace(/=+$/, "")}`,
                );
                assert.equal(
                    output(created, name, "publicKeyFingerprintMd5"),
                    digest("md5").toString("hex").match(/../g)?.join(":"),
                );
                const openssh = secret(created, name, "privateKeyOpenssh");
                assert.ok(openssh.startsWith("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
            });
        }

        it("has the documented defaults", () => {
            assert.equal(output(created, "rsa", "rsaBits"), 2048);
            assert.equal(output(created, "p224", "ecdsaCurve"), "P224");
        });

        it("is replaced when its algorithm or size changes, with what was made from it", () => {
            for (const name of ["turning", "turningLeaf-request", "turningLeaf"]) {
                assert.equal(previewed.step(name), "replace", name);
                assert.equal(second.step(name), "replace", name);
            }
            const key = createPrivateKey(secret(updated, "turning", "privateKeyPem"));
            assert.equal(key.asymmetricKeyDetails?.namedCurve, "secp384r1");
            assert.ok(certificate(updated, "turningLeaf").checkPrivateKey(key));
        });
    });

    describe("a self-signed certificate", () => {
        it("is an authority with the whole subject, uses and path length that were asked for", () => {
            const root = certificate(created, "root");
            assert.ok(root.ca);
            assert.ok(root.verify(root.publicKey));
            const printed = asText(root);
            assert.match(printed, /CA:TRUE, pathlen:1/);
            assert.match(printed, /X509v3 Key Usage: critical\n\s+Digital Signature, Certificate Sign, CRL Sign\n/);
            const subject = new Map(root.subject.split("\n").map((line) => line.split("=", 2) as [string, string]));
            assert.deepEqual(Object.fromEntries(subject), {
                CN: "root",
                O: "Acme",
                OU: "Keys",
                C: "DE",
                ST: "Hessen",
                L: "Bad Homburg",
                street: "Street 1",
                postalCode: "61348",
                serialNumber: "42",
                emailAddress: "ca@example.com",
            });
        });

        it("carries key identifiers when asked to", () => {
            const identifier = /X509v3 Subject Key Identifier: \n\s+([0-9A-F:]{59})\n/.exec(
                asText(certificate(created, "root")),
            )?.[1];
            assert.match(
                asText(certificate(created, "root")),
                new RegExp(`Authority Key Identifier: \\n\\s+${identifier}`),
            );
            assert.doesNotMatch(asText(certificate(created, "plain")), /Key Identifier/);
        });

        it("carries its own key's identifier when it is an authority, asked or not: the SHA-1 of the key", () => {
            const rsaRoot = certificate(created, "rsaRoot");
            const sum = createHash("sha1").update(rsaRoot.publicKey.export({ type: "pkcs1", format: "der" }));
            const pairs = sum.digest("hex").toUpperCase().match(/../g)!.join(":");
            assert.match(asText(rsaRoot), new RegExp(`Subject Key Identifier: \\n\\s+${pairs}\\n`));
        });

        it("is no authority unless asked to be one", () => {
            const plain = certificate(created, "plain");
            assert.ok(!plain.ca);
            assert.match(asText(plain), /X509v3 Basic Constraints: critical\n\s+CA:FALSE\n/);
            assert.equal(plain.subjectAltName, "DNS:plain.example");
            assert.equal(output(created, "plain", "isCaCertificate"), false);
        });

        it("is valid for as long as was asked for, and says so", () => {
            const { validFrom, validTo } = certificate(created, "root");
            const hours = (Date.parse(validTo) - Date.parse(validFrom)) / 3_600_000;
            assert.equal(hours, 48);
            const start = Date.parse(String(output(created, "root", "validityStartTime")));
            const end = Date.parse(String(output(created, "root", "validityEndTime")));
            assert.equal(Math.floor(start / 1000) * 1000, Date.parse(validFrom));
            assert.equal(end - start, 48 * 3_600_000);
            assert.ok(Math.abs(Date.now() - start) < 3_600_000);
        });

        it("names the algorithm of its key", () => {
            const algorithms = ["root", "rsaRoot", "edRoot"].map((name) => output(created, name, "keyAlgorithm"));
            assert.deepEqual(algorithms, ["ECDSA", "RSA", "ED25519"]);
        });

        it("is updated in place when only the time of its renewal changes", () => {
            assert.equal(second.step("adjusted"), "update");
            assert.equal(output(updated, "adjusted", "certPem"), output(created, "adjusted", "certPem"));
            assert.equal(output(updated, "adjusted", "earlyRenewalHours"), 5);
        });

        it("is replaced when its validity, subject, names or uses change", () => {
            for (const name of ["prolonged", "renamed", "readdressed", "reused"]) {
                assert.equal(previewed.step(name), "replace", name);
                assert.equal(second.step(name), "replace", name);
                assert.notEqual(output(updated, name, "certPem"), output(created, name, "certPem"), name);
            }
        });

        it("is replaced when it is due for renewal, and says on refresh that it is", () => {
            assert.equal(again.step("expiring"), "replace");
            assert.equal(output(refreshed, "expiring", "readyForRenewal"), true);
            assert.equal(output(refreshed, "root", "readyForRenewal"), false);
            assert.equal(second.step("expiring"), "replace");
        });

        it("is replaced as soon as its new renewal time says that it is due", () => {
            assert.equal(second.step("hastened"), "replace");
        });
    });

    describe("a locally signed certificate", () => {
        it("has the names and uses of its request and is signed by its authority", () => {
            const [server, root] = [certificate(created, "server"), certificate(created, "root")];
            assert.ok(server.checkIssued(root));
            assert.ok(server.verify(root.publicKey));
            assert.ok(server.checkPrivateKey(createPrivateKey(secret(created, "p256", "privateKeyPem"))));
            const names =
                "DNS:a.example, DNS:*.b.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, URI:spiffe://cluster/a";
            assert.equal(server.subjectAltName, names);
            assert.match(asText(server), /X509v3 Key Usage: critical\n\s+Digital Signature, Key Encipherment\n/);
            assert.match(
                asText(server),
                /Extended Key Usage: \n\s+TLS Web Server Authentication, TLS Web Client Authentication\n/,
            );
            assert.ok(!server.ca);
            assert.equal(server.subject, "O=Acme\nCN=a");
        });

        it("may be an authority under another", () => {
            const printed = asText(certificate(created, "intermediate"));
            assert.match(printed, /CA:TRUE, pathlen:1/);
            assert.match(printed, /Subject Key Identifier/);
        });

        it("may have another kind of key than its authority", () => {
            for (const [leaf, root, algorithm] of [
                ["rsaSigned", "rsaRoot", "RSA"],
                ["edSigned", "edRoot", "ED25519"],
            ] as const) {
                assert.ok(certificate(created, leaf).verify(certificate(created, root).publicKey), leaf);
                assert.equal(output(created, leaf, "caKeyAlgorithm"), algorithm);
            }
        });

        it("serves a TLS connection in which each side proves who it is", async () => {
            const side = {
                key: secret(created, "p256", "privateKeyPem"),
                cert: String(output(created, "server", "certPem")),
                ca: String(output(created, "root", "certPem")),
            };
            assert.equal(await exchangeOverTls(side, "a.example"), "hello a");
        });
    });

    it("stay as they are when nothing changed", () => {
        assert.equal(again.code, 0, again.text);
        const changed = Object.keys(created).filter((name) => !["same", undefined].includes(again.step(name)));
        assert.deepEqual(changed, ["expiring"]);
    });

    it("keep private keys out of the state's plain text", () => {
        for (const name of [...Object.keys(keyTypes), ...Object.keys(authorities)]) {
            for (const property of ["privateKeyPem", "privateKeyPemPkcs8", "privateKeyOpenssh"]) {
                const pem = created[name]?.outputs[property] === undefined ? "" : secret(created, name, property);
                const written = JSON.stringify(pem).slice(1, -1);
                assert.ok(pem === "" || !state.includes(written), `${name}.${property} is in the state`);
            }
        }
    });
});

function output(resources: Resources, name: string, property: string): unknown {
    return resources[name]?.outputs[property];
}

/** A secret output; fails when it is not marked as one. */
function secret(resources: Resources, name: string, property: string): string {
    const marked = output(resources, name, property) as { plaintext?: string } | undefined;
    assert.ok(marked?.plaintext !== undefined, `${name}.${property} is no secret`);
    return JSON.parse(marked.plaintext) as string;
}

function certificate(resources: Resources, name: string): X509Certificate {
    return new X509Certificate(String(output(resources, name, "certPem")));
}

function asText(certificate: X509Certificate): string {
    return execFileSync("openssl", ["x509", "-noout", "-text"], { input: certificate.toString(), encoding: "utf8" });
}
