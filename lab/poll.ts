/** Calls `condition` until it gives something other than undefined or false; throws `message()` when the time is over. */
export async function until<T>(
    condition: () => Promise<T | undefined | false> | T | undefined | false,
    deadline: { readonly seconds: number; readonly everyMs?: number; readonly message: () => string },
): Promise<T> {
    const end = Date.now() + deadline.seconds * 1000;
    for (;;) {
        const value = await condition();
        if (value !== undefined && value !== false) return value;
        if (Date.now() > end) throw new Error(deadline.message());
        await new Promise((resolve) => setTimeout(resolve, deadline.everyMs ?? 20));
    }
}
