/** How often a long step says that it still runs. */
const everySeconds = 10;

export interface Progress {
    /** Says what is being done now. */
    readonly say: (text: string) => void;
    /** Seconds since the start. */
    readonly elapsedSeconds: () => number;
    readonly stop: () => void;
}

/** Prints what long work does, and every ten seconds how long it has taken. On stderr, so that results on stdout stay clean. */
export function startProgress(title: string): Progress {
    const start = Date.now();
    const elapsedSeconds = (): number => Math.round((Date.now() - start) / 1000);
    let doing = "";
    const print = (text: string): void => console.error(`${title}: ${text}`);
    const timer = setInterval(() => print(`${doing || "working"} … ${elapsedSeconds()} s`), everySeconds * 1000);
    timer.unref();
    return {
        say: (text) => {
            doing = text;
            print(text);
        },
        elapsedSeconds,
        stop: () => clearInterval(timer),
    };
}
