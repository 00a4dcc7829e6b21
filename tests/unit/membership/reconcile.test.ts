import assert from "node:assert/strict";

import type { Observer } from "../../../components/membership/observe";
import { wholePlan } from "../../../components/membership/plan";
import { reconcile } from "../../../components/membership/reconcile";
import type { Desired, Observation } from "../../../components/membership/types";
import { grown } from "./model/cluster";
import { but, silent } from "./model/seen";

describe("a run that waits", () => {
    const declared = grown("abc", "abc").foresee("abc");
    const wanted: Desired = { ...declared.wanted, timeouts: { ...declared.wanted.timeouts, healthSeconds: 0.5 } };
    /** "c" begins again and again, and never serves clients. */
    const beginning = (servesPeers: boolean): Observation =>
        but("c", () => ({ ...silent, unit: "activating", servesPeers }))(declared.seen);

    /** @returns how it ended, the host being what `look` says at each look */
    async function endOf(look: () => Observation): Promise<string> {
        const observer = {
            refresh: () => Promise.resolve(look()),
            host: (key: string) => wanted.hosts.find((host) => host.key === key),
            connection: () => Promise.reject(new Error("no way")),
            silence: () => undefined,
        } as unknown as Observer;
        const first = look();
        const accompany = { tell: () => {}, beforeStep: () => {}, onSeen: () => {} };
        return reconcile(observer, wanted, first, wholePlan(first, wanted), accompany).then(
            () => "done",
            (error: Error) => error.message,
        );
    }

    it("ends when its time is over", async () => {
        assert.match(await endOf(() => beginning(false)), /^waited 0\.5 s, but not until member "c" is healthy/);
    });

    it("ends also when it has another reason to at every other look", async () => {
        let looks = 0;
        const flapping = (): Observation => beginning((looks += 1) % 2 === 0);
        assert.match(await endOf(flapping), /^waited 0\.5 s, but not until /);
    });
});
