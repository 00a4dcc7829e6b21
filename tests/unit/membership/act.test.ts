import assert from "node:assert/strict";

import { act } from "../../../components/membership/act";
import type { Observer } from "../../../components/membership/observe";
import type { Desired, Observation, Step } from "../../../components/membership/types";

describe("the removal of a member", () => {
    const removed: string[] = [];
    /** One voter, "a", that answers; its host takes every script. */
    const observer = {
        host: (key: string) => ({ key, name: key, peerPort: 2380 }),
        endpoint: () => "https://10.0.0.1:2379",
        connection: () => Promise.resolve({ runOrThrow: () => Promise.resolve("/srv/snapshot\n") }),
        client: () => Promise.resolve({ memberRemove: (id: string) => Promise.resolve(void removed.push(id)) }),
    } as unknown as Observer;
    const wanted = { cluster: "one", dataDir: "/srv/data", releaseDir: "/opt/x", timeouts: {}, hosts: [], retired: [] };
    const seen = {
        hosts: { a: { status: { memberId: "1", isHealthy: true }, reach: { ok: true } } },
        cluster: { leaderId: "1", members: [] },
    };
    const step = { kind: "remove", memberId: "2", snapshotOn: "a" };
    const remove = (assertLocked: () => void): Promise<unknown> =>
        act(
            observer,
            wanted as unknown as Desired,
            seen as unknown as Observation,
            step as unknown as Step,
            assertLocked,
        );

    beforeEach(() => removed.splice(0));

    it("is not asked for when the lock was lost while the snapshot was taken", async () => {
        await assert.rejects(
            remove(() => {
                throw new Error("the lock is lost");
            }),
            /the lock is lost/,
        );
        assert.deepEqual(removed, []);
    });

    it("is asked for while the lock is held", async () => {
        await remove(() => {});
        assert.deepEqual(removed, ["2"]);
    });
});
