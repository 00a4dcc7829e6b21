/** How the engine spells a value that it can't know yet (pulumi sdk/nodejs/runtime/rpc.ts: unknownValue). */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Whether a value, or anything in it, can't be known yet. */
export function isUnknown(value: unknown): boolean {
    if (value === UNKNOWN) return true;
    if (typeof value !== "object" || value === null) return false;
    return Object.values(value).some(isUnknown);
}

/** Whether two values that came through the engine are the same: it keeps no order of keys. */
export function isSame(left: unknown, right: unknown): boolean {
    return canonical(left) === canonical(right);
}

/** A text that is the same for values that are. */
export function canonical(value: unknown): string | undefined {
    return JSON.stringify(value, (_key, part: unknown) => {
        if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
        return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
    });
}
