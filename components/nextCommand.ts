/** What to type next: what an error ends with. Pure. */

/** After something that has to be put right first, as the error says. */
export const ONCE_DONE = "once that is done, pulumi up";

/** After another run was in the way. */
export const ONCE_ENDED = "pulumi up, when that run has ended";

/** After something that failed on a host: what shows there why it did. */
export function afterLookAt(
    { name, address }: { readonly name: string; readonly address: string },
    command: string,
): string {
    return `${command} on ${name} (${address}), then pulumi up`;
}

/** The last line of an error. */
export function nextLine(next: string): string {
    return `next: ${next}`;
}
