import { RunError } from "@pulumi/pulumi";

/** One argument that is not as it has to be. */
export interface InputProblem {
    /** Where: `hosts[1].address`. */
    readonly property: string;
    /** What was found there, as `shown` prints it. */
    readonly found: string;
    readonly wanted: string;
    /** What to do, where it does not follow from what is wanted. */
    readonly remedy?: string;
}

/**
 * Arguments were refused before anything was touched. The message tells all problems, one a line. The engine shows it as it is, without
 * a stack.
 */
export class InputError extends RunError {
    override readonly name = "InputError";

    constructor(
        readonly component: string,
        readonly problems: readonly InputProblem[],
    ) {
        const lines = problems.map(sentence);
        super(
            lines.length === 1
                ? `${component}: ${lines[0]}`
                : [`${component}: ${lines.length} problems`, ...lines].join("\n  "),
        );
    }
}

/** Whether a value is an Output, as the SDK tells its own, whichever copy of it made them, or a Promise. */
export function isLater(value: unknown): boolean {
    return value instanceof Promise || (value as { readonly __pulumiOutput?: unknown } | null)?.__pulumiOutput === true;
}

/** A value as an error shows it: short, and on one line. */
export function shown(value: unknown): string {
    if (value === undefined) return "missing";
    if (isLater(value)) return "a value that is known only later (an Output or a Promise)";
    const text = JSON.stringify(value) ?? String(value);
    return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function sentence({ property, found, wanted, remedy }: InputProblem): string {
    const told = `${property} is ${found}, wanted is ${wanted}`;
    return remedy === undefined ? told : `${told}; ${remedy}`;
}
