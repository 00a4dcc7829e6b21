import type * as tls from "@pulumi/tls";

import type { Authority, CertificatesProgram, Leaf } from "./programs/certificates";

/** Each kind of key, and what Node says of it. */
export const keyTypes = {
    p224: ecdsa(undefined, "secp224r1"),
    p256: ecdsa("P256", "prime256v1"),
    p384: ecdsa("P384", "secp384r1"),
    p521: ecdsa("P521", "secp521r1"),
    rsa: { args: { algorithm: "RSA" }, kind: "rsa", details: { modulusLength: 2048 }, header: "RSA PRIVATE KEY" },
    rsa3072: {
        args: { algorithm: "RSA", rsaBits: 3072 },
        kind: "rsa",
        details: { modulusLength: 3072 },
        header: "RSA PRIVATE KEY",
    },
    ed25519: { args: { algorithm: "ED25519" }, kind: "ed25519", details: {}, header: "PRIVATE KEY" },
} satisfies Record<string, KeyType>;

interface KeyType {
    readonly args: tls.PrivateKeyArgs;
    readonly kind: string;
    readonly details: object;
    readonly header: string;
}

function ecdsa(curve: string | undefined, namedCurve: string): KeyType {
    const args = { algorithm: "ECDSA", ...(curve === undefined ? {} : { ecdsaCurve: curve }) };
    return { args, kind: "ec", details: { namedCurve }, header: "EC PRIVATE KEY" };
}

const authority = { isCaCertificate: true, allowedUses: ["cert_signing"], validityPeriodHours: 48 };

export const authorities: Readonly<Record<string, Authority>> = {
    root: {
        key: "p384",
        args: {
            ...authority,
            subject: {
                commonName: "root",
                organization: "Acme",
                organizationalUnit: "Keys",
                country: "DE",
                province: "Hessen",
                locality: "Bad Homburg",
                streetAddresses: ["Street 1"],
                postalCode: "61348",
                serialNumber: "42",
                emailAddress: "ca@example.com",
            },
            allowedUses: ["digital_signature", "cert_signing", "crl_signing"],
            maxPathLength: 1,
            setSubjectKeyId: true,
            setAuthorityKeyId: true,
            earlyRenewalHours: 1,
        },
    },
    rsaRoot: { key: "rsa", args: { ...authority, subject: { commonName: "rsa" } } },
    edRoot: { key: "ed25519", args: { ...authority, subject: { commonName: "ed" } } },
    plain: {
        key: "p224",
        args: { dnsNames: ["plain.example"], validityPeriodHours: 24, allowedUses: ["server_auth"] },
    },
};

function changing(late: boolean): Readonly<Record<string, Authority>> {
    const base = { subject: { commonName: "x" }, validityPeriodHours: 24, allowedUses: ["server_auth"] };
    return {
        adjusted: { key: "p256", args: late ? { ...base, earlyRenewalHours: 5 } : base },
        hastened: { key: "p256", args: late ? { ...base, earlyRenewalHours: 24 } : base },
        prolonged: { key: "p256", args: { ...base, validityPeriodHours: late ? 25 : 24 } },
        renamed: { key: "p256", args: { ...base, subject: { commonName: late ? "y" : "x" } } },
        readdressed: { key: "p256", args: { ...base, ipAddresses: [late ? "10.0.0.2" : "10.0.0.1"] } },
        reused: { key: "p256", args: { ...base, allowedUses: late ? ["client_auth"] : ["server_auth"] } },
        expiring: { key: "p256", args: { ...base, validityPeriodHours: 1, earlyRenewalHours: 1 } },
    };
}

const leaves: Readonly<Record<string, Leaf>> = {
    server: {
        key: "p256",
        authority: "root",
        request: {
            subject: { commonName: "a", organization: "Acme" },
            dnsNames: ["a.example", "*.b.example"],
            ipAddresses: ["127.0.0.1", "::1"],
            uris: ["spiffe://cluster/a"],
        },
        args: {
            validityPeriodHours: 24,
            allowedUses: ["digital_signature", "key_encipherment", "server_auth", "client_auth"],
        },
    },
    intermediate: {
        key: "p521",
        authority: "root",
        request: { subject: { commonName: "intermediate" } },
        args: {
            validityPeriodHours: 24,
            allowedUses: ["cert_signing"],
            isCaCertificate: true,
            maxPathLength: 1,
        },
    },
    rsaSigned: signedBy("rsaRoot", "p256"),
    edSigned: signedBy("edRoot", "rsa"),
    turningLeaf: signedBy("root", "turning"),
};

function signedBy(authority: string, key: string): Leaf {
    const args = { validityPeriodHours: 24, allowedUses: ["client_auth"] };
    return { key, authority, request: { subject: { commonName: key } }, args };
}

function program(late: boolean): CertificatesProgram {
    const keys = Object.fromEntries(Object.entries(keyTypes).map(([name, { args }]) => [name, args]));
    return {
        keys: { ...keys, turning: { algorithm: "ECDSA", ecdsaCurve: late ? "P384" : "P256" } },
        authorities: { ...authorities, ...changing(late) },
        leaves,
    };
}

export const createdProgram = program(false);
export const changedProgram = program(true);
