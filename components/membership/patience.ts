/** Waiting for something, with a deadline: attentive at first, easier on the hosts the longer it takes, and told once it is felt. */
export class Patience {
    private readonly beganMs = performance.now();
    private isTold = false;

    constructor(
        private readonly seconds: number,
        private readonly tell: () => void,
    ) {}

    get isOver(): boolean {
        return this.elapsedMs > this.seconds * 1000;
    }

    /** Until it is time to look again. */
    async pause(): Promise<void> {
        if (!this.isTold && this.elapsedMs > TOLD_AFTER_MS) {
            this.isTold = true;
            this.tell();
        }
        const milliseconds = Math.min(SLOWEST_MS, Math.max(FASTEST_MS, this.elapsedMs / 20));
        await new Promise((resolve) => setTimeout(resolve, milliseconds));
    }

    private get elapsedMs(): number {
        return performance.now() - this.beganMs;
    }
}

const TOLD_AFTER_MS = 2000;
/** Between two looks: a look costs a few round trips. */
const FASTEST_MS = 20;
const SLOWEST_MS = 250;
