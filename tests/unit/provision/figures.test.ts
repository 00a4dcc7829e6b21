import assert from "node:assert/strict";

import { figuresLine, figuresWarnings, type Figures } from "../../../components/provision/figures";
import { parseProbe } from "../../../components/provision/probe";

/** A host that is as it should be, as the script tells it. */
function measured(changes: Partial<Figures> = {}, lines = ["trip=a 0.412", ...Array<string>(100).fill("sync=1.25")]) {
    const free = { directory: "/var/lib", mebibytes: 67_584 };
    return { host: "b", probe: parseProbe(lines.join("\n")), clockSeconds: 0.018, free, ...changes };
}

/** So many writes of 100 take `slow` milliseconds. */
const syncs = (count: number, slow: number) => [
    ...Array<string>(100 - count).fill("sync=1"),
    ...Array<string>(count).fill(`sync=${slow}`),
];

describe("figures of a host", () => {
    it("are one line", () => {
        assert.equal(
            figuresLine(measured()),
            'host "b": fsync p99 1.3 ms over 100 writes, round trip 0.4 ms to "a", clock +0.02 s, 66 GiB free',
        );
        assert.deepEqual(figuresWarnings([measured()]), []);
    });

    it("say what is not known", () => {
        const lines = ["trip=a ", "trip=c 12.7", "unmeasured=/var/lib: Read-only file system"];
        assert.equal(
            figuresLine(measured({ clockSeconds: -0.3, free: undefined }, lines)),
            'host "b": round trip none to "a", 13 ms to "c", not all was measured (/var/lib: Read-only file system), clock -0.30 s',
        );
    });

    it("take one slow write of a hundred for chance, and two for a slow disk", () => {
        assert.deepEqual(figuresWarnings([measured({}, syncs(1, 30))]), []);
        const [warning, ...others] = figuresWarnings([measured({}, syncs(2, 34.2))]);
        assert.equal(
            warning,
            'host "b": a write to /var/lib takes 34 ms (p99 of 100 writes), etcd wants less than 10 ms, else leaders are lost under load: choose a faster disk for dataDir, or set tuning: { heartbeatInterval: 350, electionTimeout: 3500 }',
        );
        assert.deepEqual(others, []);
    });

    it("are fine with the settings that were advised, whatever they are", () => {
        for (const slow of [10.1, 33, 99.9, 250, 499, 9000]) {
            const all = [measured({}, syncs(50, slow)), measured({ host: "c" }, [`trip=a ${Math.min(slow * 3, 999)}`])];
            const text = figuresWarnings(all).join("\n");
            const [, heartbeatInterval, electionTimeout] = /heartbeatInterval: (\d+), electionTimeout: (\d+)/.exec(
                text,
            )!;
            const tuning = { heartbeatInterval: Number(heartbeatInterval), electionTimeout: Number(electionTimeout) };
            assert.deepEqual(figuresWarnings(all, tuning), [], String(slow));
            assert.ok(tuning.electionTimeout <= 50_000 && tuning.electionTimeout >= 5 * tuning.heartbeatInterval);
        }
    });

    it("warn of a round trip that heartbeats or elections don't allow for, by what is set", () => {
        const far = [measured({}, ["trip=a 99", "trip=c 101"])];
        assert.match(
            figuresWarnings(far).join("\n"),
            /^host "b": the round trip to "c" takes 101 ms.*\{ heartbeatInterval: 110, electionTimeout: 1100 \}$/,
        );
        assert.deepEqual(figuresWarnings(far, { heartbeatInterval: 150, electionTimeout: 1500 }), []);
        assert.equal(figuresWarnings(far, { heartbeatInterval: 50 }).length, 2);
    });

    it("warn of silence, of a clock that is a second off, and of room for less than two databases", () => {
        assert.match(figuresWarnings([measured({}, ["trip=a "])])[0]!, /nothing comes back from "a" on its peer port/);
        assert.match(
            figuresWarnings([measured({ clockSeconds: -1.5 })])[0]!,
            /its clock is 1\.50 s behind this machine's/,
        );
        const small = [measured({ free: { directory: "/srv", mebibytes: 3000 } })];
        assert.match(
            figuresWarnings(small)[0]!,
            /\/srv has 3000 MiB free, a database may grow to 2048 MiB.*quotaBackendBytes to 1572864000 or less/,
        );
        assert.deepEqual(figuresWarnings(small, { quotaBackendBytes: 1_572_864_000 }), []);
    });
});
