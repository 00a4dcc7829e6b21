/** The authorities that a cluster trusted before this state of this stack came to manage it. Pure. */

import { X509Certificate } from "node:crypto";

/** Whom the client ports and the peer ports trust: PEM texts of one or more certificates. */
export interface Authorities {
    readonly clientCa: string;
    readonly peerCa: string;
    /** Its members had no TLS at all: their client ports go on serving http while the cluster is taken over. @default false */
    readonly isPlain?: boolean;
}

/** Said in so many words: in a preview, what a resource does not say counts as not known yet. */
export const NOBODY: Authorities = { clientCa: "", peerCa: "" };

export function unlessNobody(authorities: Authorities | undefined): Authorities | undefined {
    return authorities?.clientCa || authorities?.isPlain ? authorities : undefined;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** All certificates of some PEM texts, each once, in the order in which they come. */
export function bundle(...texts: readonly string[]): string {
    const blocks = texts.flatMap((text) => text.match(CERTIFICATE) ?? []);
    const unique = new Map(blocks.map((block) => [block.replace(/\s/g, ""), block]));
    return [...unique.values()].map((block) => `${block}\n`).join("");
}

/** All certificates of a PEM text that can be read. */
export function certificatesIn(text: string): readonly X509Certificate[] {
    return (text.match(CERTIFICATE) ?? []).flatMap((block) => {
        try {
            return [new X509Certificate(block)];
        } catch {
            return [];
        }
    });
}

/** What all of several hosts trust; undefined if none of them trusts anybody. */
export function together(all: readonly Authorities[]): Authorities | undefined {
    const clientCa = bundle(...all.map((one) => one.clientCa));
    const peerCa = bundle(...all.map((one) => one.peerCa));
    return clientCa && peerCa ? { clientCa, peerCa } : undefined;
}

/** A stack's own authority, and besides it those that are inherited. */
export function withInherited(own: Authorities, inherited: Authorities | undefined): Authorities {
    if (!inherited) return own;
    return { clientCa: bundle(own.clientCa, inherited.clientCa), peerCa: bundle(own.peerCa, inherited.peerCa) };
}
