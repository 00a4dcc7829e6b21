import assert from "node:assert/strict";

import * as fc from "fast-check";

import { Cluster } from "./model/cluster";
import { Random } from "./model/random";
import { Died } from "./model/run";

const odd = fc
    .constantFrom(1, 3, 5)
    .chain((size) => fc.shuffledSubarray([..."abcdef"], { minLength: size, maxLength: size }));

describe("any sequence of lists", () => {
    it("ends as declared, one voter at a time, with a second plan that is empty", () => {
        fc.assert(
            fc.property(
                fc.array(odd, { minLength: 1, maxLength: 4 }),
                fc.integer({ min: 1, max: 1e6 }),
                (lists, seed) => {
                    const cluster = new Cluster("abcdef", 1 + (seed % 2), seed);
                    for (const list of lists) {
                        cluster.mustUp(list.join(""));
                        assert.equal(cluster.voters, [...list].sort().join(""));
                        assert.deepEqual(cluster.mustUp(list.join("")), []);
                    }
                    assert.equal(cluster.lab.clusters.length, 1, "a second cluster was founded");
                },
            ),
            { numRuns: 300 },
        );
    });

    it("ends as declared when the run dies anywhere on the way, any number of times, and is run again", () => {
        fc.assert(
            fc.property(fc.tuple(odd, odd), fc.integer({ min: 1, max: 1e6 }), (lists, seed) => {
                const cluster = new Cluster("abcdef", 1 + (seed % 2), seed);
                const chance = new Random(seed);
                for (const list of lists) {
                    let runs = 0;
                    const mayDie = (): void => {
                        if (runs < 20 && chance.chance(0.15)) throw new Died();
                    };
                    while (cluster.up(list.join(""), mayDie).error !== undefined)
                        assert.ok(++runs < 30, "it does not end");
                    assert.equal(cluster.voters, [...list].sort().join(""));
                }
                assert.equal(cluster.lab.clusters.length, 1, "a second cluster was founded");
            }),
            { numRuns: 300 },
        );
    });
});
