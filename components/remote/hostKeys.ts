import { createHash } from "node:crypto";
import type { ServerHostKeyAlgorithm } from "ssh2";

import { RemoteError } from "./errors";
import { describeTarget, type SshTarget } from "./target";

/** A host's public key. */
export interface HostKey {
    /** Its type, as the wire names it: `ssh-ed25519`. */
    readonly type: string;
    /** The key as it goes over the wire. */
    readonly blob: Buffer;
}

/** The signature algorithms of each type of key, best first, and the types in the order in which we ask for them. */
const ALGORITHMS: ReadonlyMap<string, readonly ServerHostKeyAlgorithm[]> = new Map([
    ["ssh-ed25519", ["ssh-ed25519"]],
    ["ecdsa-sha2-nistp256", ["ecdsa-sha2-nistp256"]],
    ["ecdsa-sha2-nistp384", ["ecdsa-sha2-nistp384"]],
    ["ecdsa-sha2-nistp521", ["ecdsa-sha2-nistp521"]],
    ["ssh-rsa", ["rsa-sha2-512", "rsa-sha2-256"]],
]);

export function isKnownType(type: string): boolean {
    return ALGORITHMS.has(type);
}

/**
 * `@pulumi/command` takes one host key. Its SSH library asks a host for ECDSA first (golang.org/x/crypto/ssh/common.go:
 * defaultHostKeyAlgos), unless the plugin asks for the type of that key alone (its provider/pkg/provider/remote/connection.go, in 2026):
 * of RSA then as `ssh-rsa`, with which OpenSSH since 8.8 does not sign.
 */
const COMMAND_ORDER = ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-ed25519", "ssh-rsa"];

/** Of the keys that we know of a host, the one to give to `@pulumi/command`: that with which it is surest to get in. */
export function commandHostKey(hostKeys: readonly string[]): string | undefined {
    const rank = (key: string) => COMMAND_ORDER.indexOf(key.split(" ")[0] ?? "");
    return [...hostKeys].sort((left, right) => rank(left) - rank(right))[0];
}

/** Why `@pulumi/command` would refuse a host that shows a key which we trust; undefined where it would not. */
export function whyCommandRefuses(target: SshTarget, shown: Buffer): string | undefined {
    if (target.insecureSkipHostKeyCheck === true) return undefined;
    const checked = parseHostKey(commandHostKey(target.hostKeys ?? []) ?? "");
    if (checked === undefined || checked.blob.equals(shown)) return undefined;
    return (
        `${describeTarget(target)}: the host key is ${keyType(shown) ?? "unknown"} ${fingerprint(shown)}, and ` +
        `@pulumi/command, which checks one key alone, would be given ${checked.type} ${fingerprint(checked.blob)}; ` +
        `take that one out of hostKeys or knownHosts`
    );
}

/**
 * Reads one line in the manner of `known_hosts`: `[names] type key [comment]`.
 * @returns undefined if it holds no key of a known type
 */
export function parseHostKey(line: string): HostKey | undefined {
    const words = line.trim().split(/\s+/);
    const at = words.findIndex((word, index) => index < 2 && ALGORITHMS.has(word));
    const [type, encoded] = [words[at], words[at + 1]];
    if (at < 0 || type === undefined || encoded === undefined) return undefined;

    const blob = Buffer.from(encoded, "base64");
    return keyType(blob) === type ? { type, blob } : undefined;
}

/** The key's SHA256 fingerprint, as `ssh-keygen -l` prints it. */
export function fingerprint(blob: Buffer): string {
    return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** The type that a key on the wire says it has. */
export function keyType(blob: Buffer): string | undefined {
    if (blob.length < 4) return undefined;
    const length = blob.readUInt32BE(0);
    return blob.length < 4 + length ? undefined : blob.toString("latin1", 4, 4 + length);
}

/**
 * The algorithms to ask a host for: those of the given keys first, since a host with several keys shows the one that is asked for. Among
 * them in the order of `@pulumi/command`, so that a host shows us the key that it will show there.
 * The others follow, so that a host without any of them ends in a mismatch that names its key and not in "no common algorithm".
 */
export function hostKeyAlgorithms(keys: readonly HostKey[]): ServerHostKeyAlgorithm[] {
    const wanted = new Set(keys.map((key) => key.type));
    const others = [...ALGORITHMS.keys()].filter((type) => !wanted.has(type));
    const ordered = [...COMMAND_ORDER.filter((type) => wanted.has(type)), ...others];
    return ordered.flatMap((type) => ALGORITHMS.get(type) ?? []);
}

/**
 * The keys that a target may show. Empty only where the check is switched off.
 * @throws RemoteError host-key-missing, host-key-invalid
 */
export function trustedHostKeys(target: SshTarget): readonly HostKey[] {
    if (target.insecureSkipHostKeyCheck === true) return [];
    const host = describeTarget(target);
    const lines = (target.hostKeys ?? []).filter((line) => line.trim() !== "");
    if (lines.length === 0) {
        throw new RemoteError(
            "host-key-missing",
            host,
            `no host key is given, so nobody could tell this host from an impostor; give its public key ` +
                `(on the host: cat /etc/ssh/ssh_host_ed25519_key.pub) in hostKeys`,
        );
    }
    return lines.map((line) => {
        const key = parseHostKey(line);
        if (key !== undefined) return key;
        const shown = line.length > 60 ? `${line.slice(0, 60)}…` : line;
        throw new RemoteError(
            "host-key-invalid",
            host,
            `the host key "${shown}" can't be read; wanted is a line like "ssh-ed25519 AAAA…" ` +
                `(on the host: cat /etc/ssh/ssh_host_ed25519_key.pub)`,
        );
    });
}

/** The error for a host that shows a key which is none of the trusted ones. */
export function hostKeyMismatch(target: SshTarget, trusted: readonly HostKey[], shown: Buffer): RemoteError {
    const wanted = trusted.map((key) => `${key.type} ${fingerprint(key.blob)}`).join(" or ");
    return new RemoteError(
        "host-key-mismatch",
        describeTarget(target),
        `the host key is ${keyType(shown) ?? "unknown"} ${fingerprint(shown)}, expected ${wanted}; ` +
            `if the host was rebuilt, put its new public key in hostKeys, else somebody may be in between`,
    );
}
