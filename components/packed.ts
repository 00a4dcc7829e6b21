/** What the program has seen, for the provider's process: an input that says it at once and is never kept. */
import { deserialize, serialize } from "node:v8";

/** Older than that, and it is looked at again. */
const FRESH_MS = 10_000;

interface Packed {
    readonly seenMs: number;
    readonly value: unknown;
}

/** @param seenMs when the look at it ended, in ms since 1970 @default now */
export function pack(value: unknown, seenMs = Date.now()): string {
    const packed: Packed = { seenMs, value };
    return serialize(packed).toString("base64");
}

/** @returns undefined where nothing is, or nothing of use: not known yet, of another version of Node, or too old */
export function unpack<T>(text: string | undefined): T | undefined {
    if (text === undefined) return undefined;
    try {
        const { seenMs, value } = deserialize(Buffer.from(text, "base64")) as Packed;
        return Math.abs(Date.now() - seenMs) < FRESH_MS ? (value as T) : undefined;
    } catch {
        return undefined;
    }
}
