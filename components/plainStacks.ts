/**
 * Runs what makes many resources with stack traces as V8 has them. The SDK takes a few of each resource and of each of its promises, and
 * with source maps, as Pulumi and ts-node have them on, they take more time than all else that is done to make a resource.
 */
export function withPlainStacks<T>(work: () => T): T {
    const { prepareStackTrace } = Error;
    delete (Error as Partial<typeof Error>).prepareStackTrace;
    try {
        return work();
    } finally {
        if (prepareStackTrace) Error.prepareStackTrace = prepareStackTrace;
    }
}
