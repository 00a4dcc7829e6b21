import { local, remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

const connection = { host: "127.0.0.1", privateKey: "do not tell" };
const certificate = { allowedUses: [], validityPeriodHours: 1 };

/** What the official plugins can do and the stand-ins cannot, and what neither can. */
const unserved = {
    localCommand: () => new local.Command("refused", { create: "true" }),
    copyToRemote: () =>
        new remote.CopyToRemote("refused", {
            connection,
            source: new pulumi.asset.StringAsset("text"),
            remotePath: "/tmp/refused",
        }),
    localRun: () => local.run({ command: "true" }),
    publicKey: () => tls.getPublicKey({ privateKeyPem: "" }),
    proxy: () => {
        const provider = new tls.Provider("refused", { proxy: { url: "http://127.0.0.1" } });
        return new tls.PrivateKey("key", { algorithm: "ED25519" }, { provider });
    },
    writeOnlyKey: () =>
        new tls.SelfSignedCert("refused", { ...certificate, privateKeyPemWo: "x", privateKeyPemWoVersion: 1 }),
    unknownField: () =>
        new remote.Command("refused", { connection: { ...connection, ...{ colour: "blue" } }, create: "true" }),
} satisfies Record<string, () => unknown>;

export type Unserved = keyof typeof unserved;

const what = JSON.parse(process.env.PROGRAM ?? '""') as Unserved;

const result: unknown = what && unserved[what]();

// Awaited, so that a function's refusal fails the program.
export const made = Promise.resolve(result).then(() => what);
