import assert from "node:assert/strict";

import { JudgedWork } from "../../faults/judgedWork";

/** Clients that only know whether they were ended. */
class Clients {
    isEnded = false;

    abandon(): void {
        this.isEnded = true;
    }
}

describe("the workload of a fault", () => {
    async function begun(fault: string): Promise<{ work: JudgedWork<Clients>; clients: Clients }> {
        const work = new JudgedWork<Clients>();
        const clients = await work.begin(fault, () => Promise.resolve(new Clients()));
        assert.equal(work.current, clients);
        return { work, clients };
    }

    const begin = (work: JudgedWork<Clients>, fault: string): Promise<Clients> =>
        work.begin(fault, () => Promise.resolve(new Clients()));

    it("has to be judged before the next one begins, which names it and starts no client", async () => {
        const { work, clients } = await begun("a frozen host");
        let starts = 0;
        const start = (): Promise<Clients> => {
            starts += 1;
            return Promise.resolve(new Clients());
        };
        await assert.rejects(
            work.begin("a full disk", start),
            /what clients saw of "a frozen host" was not judged before "a full disk" begins/,
        );
        assert.deepEqual([starts, clients.isEnded, work.current], [0, false, clients]);
        work.judged();
        await begin(work, "a full disk");
    });

    it("has to be judged before the end, also when its clients were ended", async () => {
        const { work, clients } = await begun("a frozen host");
        work.end();
        assert.ok(clients.isEnded);
        assert.throws(
            () => work.assertJudged("the end"),
            /what clients saw of "a frozen host" was not judged before the end/,
        );
        work.judged();
        work.assertJudged("the end");
    });

    it("is forgotten after a test that failed, so that nothing hides why", async () => {
        const { work, clients } = await begun("a frozen host");
        work.forget();
        assert.ok(clients.isEnded);
        work.assertJudged("the end");
        await begin(work, "a full disk");
    });

    it("that could not be started is none", async () => {
        const work = new JudgedWork<Clients>();
        await assert.rejects(
            work.begin("a frozen host", () => Promise.reject(new Error("no client gets in"))),
            /no client/,
        );
        work.assertJudged("the end");
    });
});
