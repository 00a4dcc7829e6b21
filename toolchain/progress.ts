/** How often a long step says that it still runs. */
const everySeconds = 10;

export interface Progress {
    /** Says what is being done now. */
    readonly say: (text: string) => void;
    /** Says how long it all took, unless nothing was ever said. */
    readonly done: () => void;
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
        done: () => {
            if (doing) print(`ready after ${elapsedSeconds()} s`);
        },
        stop: () => clearInterval(timer),
    };
}
