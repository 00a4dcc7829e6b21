/** Moments of a run that tests interrupt it at. */
import type { Running } from "./project";

/** Settles when the run has printed something; with false when it has ended without. */
export async function hasPrinted(running: Running, pattern: RegExp): Promise<boolean> {
    return new Promise((resolve) => {
        const look = (): void => {
            if (pattern.test(running.printed())) resolve(true);
        };
        running.process.stdout?.on("data", look);
        void running.finished.finally(() => resolve(pattern.test(running.printed())));
        look();
    });
}

/** What membership has told about a cluster, each line once. */
export function told(text: string, cluster: string): readonly string[] {
    return [...new Set(text.match(new RegExp(`(?<=\\[${cluster}\\] ).*`, "g")) ?? [])];
}
