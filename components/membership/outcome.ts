import { isEtcdError, type EtcdErrorCode } from "../remote/errors";

/** What became of a step: done, refused by etcd for now, or nobody knows. */
export interface Outcome {
    /** What the step changed, or may have changed, is looked at again. */
    readonly hosts: readonly string[];
    /** etcd's words, when it asks to come back later or gives no answer. */
    readonly notYet?: string;
    /** There was no answer: the step may be done, now or in a moment. */
    readonly mayBeDone?: boolean;
    /** What the operator should know besides. */
    readonly note?: string;
}

/** Answers of etcd that time heals: the 5 s rule, a learner that lags, an election. */
export const passing: ReadonlySet<EtcdErrorCode> = new Set([
    "unhealthy-cluster",
    "not-enough-started",
    "not-in-sync",
    "no-leader",
    "not-leader",
    "too-many-learners",
]);

/**
 * @param hosts all that there are
 * @returns undefined when it is an error for good
 */
export function refusalOf(error: unknown, hosts: readonly string[]): Outcome | undefined {
    if (!isEtcdError(error)) return undefined;
    if (error.code === "timeout") return { hosts, notYet: error.message, mayBeDone: true };
    return passing.has(error.code) ? { hosts: [], notYet: error.message } : undefined;
}
