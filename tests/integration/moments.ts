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

/** One of membership's steps, as it is told when it is done. */
export function step(cluster: string, number: number): RegExp {
    return new RegExp(`\\[${cluster}\\] ${number}/\\d+ `);
}

/** The last thing that membership has done. */
export function lastStep(running: Running, cluster: string): string {
    const done = told(running.printed(), cluster).filter((line) => /^\d+\/\d+ /.test(line));
    return done.at(-1) ?? "before the first step";
}
