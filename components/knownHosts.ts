import { createHmac } from "node:crypto";

import { isKnownType } from "./remote/hostKeys";

/**
 * The keys that an OpenSSH `known_hosts` text has for any of the given names, as `type base64` lines. Hashed names, `[name]:port`,
 * wildcards and negations are understood; lines of certificate authorities, and of types that nobody uses here, are passed over.
 * A key that is marked `@revoked` is left out, whoever else lists it.
 */
export function lookUpKnownHosts(text: string, names: readonly string[], port: number): readonly string[] {
    const lines = text.split("\n").flatMap(parseLine);
    const wanted = names.map((name) => knownAs(name, port));
    const revoked = new Set(lines.filter((line) => line.marker === "@revoked").map((line) => line.key));
    const found = lines
        .filter((line) => line.marker === undefined && wanted.some((name) => matches(line.patterns, name)))
        .map((line) => line.key)
        .filter((key) => !revoked.has(key) && isKnownType(key.split(" ")[0] ?? ""));
    return [...new Set(found)];
}

/** How a `known_hosts` names a host: one that is listed without its port is another one than that port's. */
export function knownAs(name: string, port: number): string {
    return port === 22 ? name : `[${name}]:${port}`;
}

interface KnownHost {
    readonly marker: string | undefined;
    readonly patterns: readonly string[];
    readonly key: string;
}

function parseLine(line: string): readonly KnownHost[] {
    const words = line.trim().split(/\s+/);
    const marker = words[0]?.startsWith("@") ? words.shift() : undefined;
    const [patterns, type, blob] = words;
    if (patterns === undefined || type === undefined || blob === undefined || patterns.startsWith("#")) return [];
    return [{ marker, patterns: patterns.split(","), key: `${type} ${blob}` }];
}

/** sshd(8), SSH_KNOWN_HOSTS FILE FORMAT: one negated pattern that matches rules the line out. */
function matches(patterns: readonly string[], name: string): boolean {
    const negated = patterns.filter((pattern) => pattern.startsWith("!")).map((pattern) => pattern.slice(1));
    if (negated.some((pattern) => matchesOne(pattern, name))) return false;
    return patterns.some((pattern) => !pattern.startsWith("!") && matchesOne(pattern, name));
}

function matchesOne(pattern: string, name: string): boolean {
    if (pattern.startsWith("|1|")) return matchesHash(pattern, name);
    const source = pattern
        .replace(/[.+^${}()|[\]\\]/g, "\\$&")
        .replaceAll("*", ".*")
        .replaceAll("?", ".");
    return new RegExp(`^${source}$`, "i").test(name);
}

/** `|1|salt|HMAC-SHA1(salt, name in lower case)`, both in base64. */
function matchesHash(pattern: string, name: string): boolean {
    const [, , salt, hash] = pattern.split("|");
    if (salt === undefined || hash === undefined) return false;
    return createHmac("sha1", Buffer.from(salt, "base64")).update(name.toLowerCase()).digest("base64") === hash;
}
