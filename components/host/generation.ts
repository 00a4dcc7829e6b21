import { createHash } from "node:crypto";

import { renderEnvironment } from "./environment";
import type { HostCertificates, HostSettings } from "./settings";
import { renderUnit } from "./unit";

/** What a member starts from: files by name, and the name of the directory that holds them. */
export interface Generation {
    /** The first 20 digits of the SHA-256 of all names and contents. */
    readonly digest: string;
    readonly files: Readonly<Record<string, string>>;
}

/** The generation that settings and certificates make. Leaf certificates are no part of it: they are renewed without a restart. */
export function renderGeneration(
    settings: HostSettings,
    certificates: Pick<HostCertificates, "clientCa" | "peerCa">,
): Generation {
    const files = {
        "client-ca.crt": certificates.clientCa,
        "etcd.env": renderEnvironment(settings),
        "etcd.service": renderUnit(settings),
        "peer-ca.crt": certificates.peerCa,
    };
    return { digest: digestOf(files), files };
}

/** The digest of files by name: no two different sets of files have the same, whatever their names and contents hold. */
export function digestOf(files: Readonly<Record<string, string>>): string {
    const sorted = Object.entries(files).sort(([left], [right]) => (left < right ? -1 : 1));
    return createHash("sha256").update(JSON.stringify(sorted)).digest("hex").slice(0, 20);
}

/** Before the digest of what runs: it was started from files of that generation which somebody had changed. */
export const EDITED = "edited-";
