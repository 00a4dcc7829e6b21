import { shown, type InputProblem } from "../inputError";

/** What a check found: nothing, where all is well. */
export type Problems = readonly InputProblem[];

export function problem(property: string, value: unknown, wanted: string, remedy?: string): Problems {
    return [{ property, found: shown(value), wanted, ...(remedy !== undefined && { remedy }) }];
}

/** An optional whole number within bounds. */
export function checkWhole(property: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): Problems {
    if (value === undefined) return [];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return [];
    const wanted =
        most === Number.MAX_SAFE_INTEGER
            ? `a whole number from ${least} up`
            : `a whole number from ${least} to ${most}`;
    return problem(property, value, wanted);
}

/** An optional port of etcd's, which runs as a plain user: those below are root's. */
export function checkPort(property: string, value: unknown): Problems {
    return checkWhole(property, value, 1024, 65535);
}

/** An optional value out of a few. */
export function checkOneOf(property: string, value: unknown, allowed: readonly string[]): Problems {
    if (value === undefined || (typeof value === "string" && allowed.includes(value))) return [];
    return problem(property, value, `one of ${allowed.map((word) => JSON.stringify(word)).join(", ")}`);
}

/** The properties of an object that nobody knows. */
export function checkKeys(property: string, value: object, known: readonly string[]): Problems {
    return Object.keys(value)
        .filter((key) => !known.includes(key))
        .flatMap((key) =>
            problem(
                `${property}.${key}`,
                (value as Record<string, unknown>)[key],
                `one of the options ${known.join(", ")}`,
            ),
        );
}

/** Each value that an earlier one equals, by what `identity` makes of it. */
export function checkDistinct<T>(
    values: readonly T[],
    identity: (value: T) => string | undefined,
    tell: (index: number, first: number) => Problems,
): Problems {
    const seen = new Map<string, number>();
    return values.flatMap((value, index) => {
        const key = identity(value);
        if (key === undefined) return [];
        const first = seen.get(key);
        if (first !== undefined) return tell(index, first);
        seen.set(key, index);
        return [];
    });
}
