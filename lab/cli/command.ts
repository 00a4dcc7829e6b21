/** One word of `npm run lab -- …`. */
export interface Command {
    readonly usage: string;
    readonly summary: string;
    readonly options?: readonly (readonly [string, string])[];
    /** Gives the exit code. */
    readonly run: (args: readonly string[]) => Promise<number>;
}

/** The words that a command needs, by name, and what follows them. */
export function takeWords<Name extends string>(
    args: readonly string[],
    ...names: readonly Name[]
): Record<Name, string> & { readonly rest: readonly string[] } {
    const missing = names[args.length];
    if (missing !== undefined)
        throw new Error(`${missing.toUpperCase()} is missing; "npm run lab -- help" shows the usage`);
    const words = Object.fromEntries(names.map((name, index) => [name, args[index]])) as Record<Name, string>;
    return { ...words, rest: args.slice(names.length) };
}

export function refuseRest(rest: readonly string[]): void {
    if (rest.length > 0) throw new Error(`"${rest.join(" ")}" is too much; "npm run lab -- help" shows the usage`);
}
