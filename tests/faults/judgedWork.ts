/** What clients saw of a fault is judged: one workload after the other, and none that is begun and forgotten. */
import assert from "node:assert/strict";

/** The workload of a bed, under the name of its fault. */
export class JudgedWork<Work extends { abandon(): void }> {
    private begun: { readonly fault: string; readonly work: Work } | undefined;

    /** What clients do now; undefined while there are none. */
    get current(): Work | undefined {
        return this.begun?.work;
    }

    /** @throws when an earlier workload was begun and never judged */
    async begin(fault: string, start: () => Promise<Work>): Promise<Work> {
        this.assertJudged(`"${fault}" begins`);
        const work = await start();
        this.begun = { fault, work };
        return work;
    }

    judged(): void {
        this.begun = undefined;
    }

    /** Ends its clients. That it was never judged is known still. */
    end(): void {
        this.begun?.work.abandon();
    }

    /** Ends its clients, after a test that failed: nobody asks for their account any more. */
    forget(): void {
        this.end();
        this.begun = undefined;
    }

    /** @param when what is about to happen */
    assertJudged(when: string): void {
        if (!this.begun) return;
        assert.fail(
            `what clients saw of "${this.begun.fault}" was not judged before ${when}: ask the oracle (converges, endWork)`,
        );
    }
}
