/**
 * Gives a piece of work a time limit.
 * @param late makes the error for work that is not done in time; it may also stop the work
 */
export async function within<T>(seconds: number, work: Promise<T>, late: () => Error): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(late()), seconds * 1000);
    });
    try {
        return await Promise.race([work, limit]);
    } finally {
        clearTimeout(timer);
    }
}
