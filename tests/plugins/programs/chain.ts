import { appendFileSync } from "node:fs";

import type { types } from "@pulumi/command";
import { remote } from "@pulumi/command";
import * as tls from "@pulumi/tls";

/** A generated key feeds a certificate, which feeds a command's standard input. */
export interface ChainProgram {
    readonly connection: types.input.remote.ConnectionArgs;
    /** Each value of stdout that the program got to see is appended here. */
    readonly seen: string;
    readonly commonName: string;
}

const program = JSON.parse(process.env.PROGRAM ?? "{}") as ChainProgram;

const key = new tls.PrivateKey("key", { algorithm: "ECDSA", ecdsaCurve: "P256" });
const certificate = new tls.SelfSignedCert("certificate", {
    privateKeyPem: key.privateKeyPem,
    subject: { commonName: program.commonName },
    validityPeriodHours: 24,
    allowedUses: ["server_auth"],
});
const command = new remote.Command("command", {
    connection: program.connection,
    create: "cat",
    stdin: certificate.certPem,
    logging: "none",
});
command.stdout.apply((text) => appendFileSync(program.seen, `${JSON.stringify(text)}\n`));

export const stdout = command.stdout;
export const certPem = certificate.certPem;
