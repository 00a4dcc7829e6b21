import assert from "node:assert/strict";

import type { CertificatesProgram } from "./programs/certificates";
import { Project, type Run } from "./project";

const key = { algorithm: "ECDSA", ecdsaCurve: "P256" };
const args = { validityPeriodHours: 24, allowedUses: ["cert_signing"], isCaCertificate: true };
const subject = { commonName: "x" };

function authority(name: string, more: object, usesKey = true): CertificatesProgram {
    const whole = { ...args, subject, ...more };
    return { keys: { key }, authorities: { [name]: usesKey ? { key: "key", args: whole } : { args: whole } } };
}

describe("a certificate that cannot be made", function () {
    this.timeout(120_000);

    let project: Project;

    before(async () => {
        project = await Project.open("certificates.ts");
    });

    after(() => project?.close());

    const refused = async (program: CertificatesProgram, ...reasons: readonly RegExp[]): Promise<void> => {
        const run: Run = await project.up(program);
        assert.notEqual(run.code, 0, run.text);
        const shown = run.text.replace(/\s+/g, " ");
        for (const reason of reasons) assert.match(shown, reason);
    };

    it("because a use is unknown is refused, with the use and those there are", () =>
        refused(authority("bad", { allowedUses: ["cert_signing", "world_peace"] }), /world_peace/, /crl_signing/));

    it("because its validity is negative is refused", () =>
        refused(authority("bad", { validityPeriodHours: -1 }), /must be at least 0, got: -1/));

    it("because an address is none is refused, with the address", () =>
        refused(authority("bad", { ipAddresses: ["10.0.0.300"] }), /10\.0\.0\.300/));

    it("because it has no key is refused, with the property", () =>
        refused(authority("bad", {}, false), /private_?key_?pem/i));

    it("because it is an authority without a name is refused", () =>
        refused(authority("bad", { subject: {} }), /Invalid Certificate Subject/, /at least one Distinguished Name/));

    it("because its key is not one is refused", () =>
        refused(authority("bad", { privateKeyPem: "rubbish" }, false), /PEM|decode|key/i));

    it("because the signing key is not the authority's is refused", () =>
        refused(
            {
                keys: { key, other: key },
                authorities: { root: { key: "key", args: { ...args, subject } } },
                leaves: { bad: { key: "key", authority: "root", signingKey: "other", request: { subject }, args } },
            },
            /match/,
        ));
});
