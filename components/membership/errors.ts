/** A run that ended before all was as wanted. `message` is for the operator: what, where, wanted against found, what to do. */
export class MembershipError extends Error {
    override readonly name = "MembershipError";
}

export function messageOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}
