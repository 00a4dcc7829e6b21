import assert from "node:assert/strict";

import * as fc from "fast-check";

import { desiredOf } from "../../../components/membership/inputs";
import { nextStep, wholePlan } from "../../../components/membership/plan";
import type { HostSeen, Identity, Observation } from "../../../components/membership/types";
import { Lab, Machine, voters } from "./model/lab";
import { observe } from "./model/observe";
import { Random } from "./model/random";
import { Died, inputsOf, up, type State } from "./model/run";

/** A cluster of the model, whose list is edited and brought up as a user would. */
class Cluster {
    readonly lab: Lab;
    private state: State = {};

    constructor(
        names: string,
        private readonly maxLearners = 2,
        seed = 1,
    ) {
        const machines = [...names].map((name, index) => new Machine(name, `10.0.0.${index + 1}`));
        this.lab = new Lab(machines, new Random(seed));
        this.revise();
    }

    /** The same settings again, or others: a generation of its own. */
    revise(health: "fine" | "crashing" = "fine"): void {
        this.lab.revisions.push({ health, maxLearners: this.maxLearners });
    }

    private program(names: string) {
        const machines = [...names].map((name) => this.lab.machines.find((machine) => machine.name === name)!);
        return { machines, revision: this.lab.revisions.length - 1, allowEvenSize: false };
    }

    /** @returns the kinds of the steps that were taken, and for whom */
    up(
        names: string,
        meanwhile?: () => void,
    ): { readonly steps: readonly string[]; readonly error: string | undefined } {
        this.lab.advance(10_000);
        const { state, error, steps } = up(this.lab, this.program(names), this.state, meanwhile);
        this.state = state;
        const subject = (step: (typeof steps)[number]): string =>
            "host" in step ? step.host : "hosts" in step ? step.hosts.join("") : "name" in step ? step.name : step.to;
        return { steps: steps.map((step) => `${step.kind} ${subject(step)}`), error };
    }

    mustUp(names: string): readonly string[] {
        const { steps, error } = this.up(names);
        assert.equal(error, undefined);
        return steps;
    }

    /** @param change what is seen besides */
    foresee(
        names: string,
        change = (seen: Observation): Observation => seen,
    ): {
        readonly seen: Observation;
        readonly kinds: readonly string[];
        readonly refusal: string | undefined;
        readonly verdict: string;
    } {
        const wanted = desiredOf(this.state, inputsOf(this.lab, this.program(names)));
        const seen = change(observe(this.lab, wanted));
        const { steps, refusal } = wholePlan(seen, wanted);
        const { verdict } = nextStep(seen, wanted);
        assert.equal(verdict === "done", steps.length === 0 && refusal === undefined);
        return { seen, kinds: steps.map(({ kind }) => kind), refusal, verdict };
    }

    /** What runs on a host. */
    generationOf(name: string): string | undefined {
        return this.lab.machines.find((machine) => machine.name === name)?.service?.generation;
    }

    isReady(name: string): boolean {
        return this.lab.machines.find((machine) => machine.name === name)?.service?.isReady === true;
    }

    get voters(): string {
        return voters(this.lab.clusters[0]!)
            .map(({ name }) => name)
            .sort()
            .join("");
    }
}

function grown(names: string, to: string, maxLearners = 2): Cluster {
    const cluster = new Cluster(names, maxLearners);
    cluster.mustUp(to);
    return cluster;
}

/** A host whose etcd does not start, since its log is not what it wrote. */
function damaged(name: string): (seen: Observation) => Observation {
    return ({ hosts, cluster }) => {
        const host = {
            ...hosts[name]!,
            unit: "activating",
            isDamaged: true,
            status: undefined,
            servesPeers: false,
        } as const;
        const others = Object.keys(hosts).length > 1;
        return { hosts: { ...hosts, [name]: host }, cluster: others ? cluster : undefined };
    };
}

const silent = { status: undefined, servesPeers: false } as const;

/** What is seen of one host is otherwise. */
function but(name: string, change: (host: HostSeen) => Partial<HostSeen>): (seen: Observation) => Observation {
    return ({ hosts, cluster }) => ({
        hosts: { ...hosts, [name]: { ...hosts[name]!, ...change(hosts[name]!) } },
        cluster,
    });
}

describe("the plan", () => {
    it("leaves alone what is another cluster's, or nobody knows whose", () => {
        const cluster = grown("abc", "abc");
        const strange = (change: Partial<Identity>): string | undefined =>
            cluster.foresee(
                "abc",
                but("b", ({ identity }) => ({ ...silent, unit: "inactive", identity: { ...identity!, ...change } })),
            ).refusal;
        assert.match(strange({ clusterId: "other" }) ?? "", /holds a member of cluster other/);
        assert.match(strange({ clusterToken: "other" }) ?? "", /a token is for life/);
        const { kinds, refusal } = new Cluster("abc").foresee(
            "abc",
            but("b", () => ({ hasData: true })),
        );
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /no cluster of ours wrote/);
    });

    it("restarts nobody while an alarm is raised, and nobody away from its data", () => {
        const cluster = grown("abc", "abc");
        cluster.revise();
        const alarmed = cluster.foresee("abc", ({ hosts, cluster: answering }) => ({
            hosts,
            cluster: { ...answering!, alarms: [{ memberId: answering!.members[0]!.id, alarm: "CORRUPT" }] },
        }));
        assert.match(alarmed.refusal ?? "", /has raised the alarm CORRUPT/);
        assert.ok(!alarmed.kinds.includes("restart"), alarmed.kinds.join());
        const elsewhere = cluster.foresee(
            "abc",
            but("b", () => ({ hasData: false })),
        );
        assert.match(elsewhere.refusal ?? "", /member "b" is not restarted/);
    });

    it("changes nothing while two hosts hold the data of one member", () => {
        const { seen } = grown("abc", "abc").foresee("abc");
        const { identity } = seen.hosts.b!;
        const copied = but("c", () => ({ ...silent, unit: "inactive", identity }));
        const { kinds, refusal } = grown("abc", "abc").foresee("abc", copied);
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /both hold the data of member/);
    });

    it("refuses a version that etcd does not upgrade to from what runs", () => {
        const old = but("b", ({ status }) => ({ status: { ...status!, version: "3.4.45" } }));
        const { kinds, refusal } = grown("abc", "abc").foresee("abc", old);
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /version 3\.6\.16 is declared, but/);
    });

    it("removes nobody who can't be seen, and whom the quorum may rest on", () => {
        const lost = { ...silent, reach: { ok: false, reason: "no route to host" } } as const;
        const unseen = (seen: Observation): Observation => but("b", () => lost)(but("c", () => lost)(seen));
        const { kinds, refusal } = grown("abc", "abc").foresee("a", unseen);
        assert.ok(!kinds.includes("remove"), kinds.join());
        assert.match(refusal ?? "", /1 of the 2 voters that stay take part and 2 must/);
    });

    it("moves the data of a member that was removed aside before anything starts on it", () => {
        const former = but("b", ({ identity }) => ({
            ...silent,
            unit: "inactive",
            identity: { ...identity!, memberId: "gone" },
        }));
        assert.equal(grown("abc", "abc").foresee("abc", former).kinds[0], "set-aside");
    });

    it("tells the list where a member is now, whether it answers or not", () => {
        for (const change of [{}, silent]) {
            const moved = (seen: Observation): Observation => {
                const { hosts, cluster } = but("b", () => change)(seen);
                const members = cluster!.members.map((member) =>
                    member.name === "b" ? { ...member, peerUrls: ["https://10.0.0.99:2380"] } : member,
                );
                return { hosts, cluster: { ...cluster!, members } };
            };
            const { kinds } = grown("abc", "abc").foresee("abc", moved);
            assert.deepEqual(kinds.slice(0, 2), ["let-in", "update-peer"]);
            assert.ok(!kinds.includes("remove"), kinds.join());
        }
    });

    it("bootstraps one host and flips its file, whatever comes after", () => {
        assert.deepEqual(new Cluster("a").mustUp("a").slice(-2), ["bootstrap a", "record a"]);
        const three = new Cluster("abc").mustUp("abc");
        assert.equal(three.filter((step) => step.startsWith("bootstrap")).length, 1);
        assert.equal(three[three.indexOf("bootstrap a") + 1], "record a");
    });

    it("founds on another host only after the one that was to found can't any more", () => {
        const cluster = new Cluster("ab");
        const [first] = cluster.lab.machines;
        const { error } = cluster.up("a", () => {
            if (first!.identity && !first!.service) first!.isPowered = false;
        });
        assert.match(error ?? "", /no route to host/);
        first!.isPowered = true;
        const steps = cluster.mustUp("b");
        assert.ok(steps.includes("set-aside a"), steps.join(", "));
        assert.ok(steps.indexOf("set-aside a") < steps.indexOf("bootstrap b"), steps.join(", "));
        assert.equal(first!.told, undefined);
    });

    it("grows from one to three with both learners added before the first one starts, voters one by one", () => {
        const steps = grown("abc", "a").mustUp("abc");
        const kinds = steps.map((step) => step.split(" ")[0]);
        assert.deepEqual(
            kinds.filter((kind) => ["add-learner", "join", "promote"].includes(kind!)),
            ["add-learner", "add-learner", "join", "join", "promote", "promote"],
        );
        assert.ok(kinds.indexOf("let-in") < kinds.indexOf("add-learner"), "peers are let in before one is added");
    });

    it("grows one learner at a time where etcd takes no more", () => {
        const kinds = grown("abc", "a", 1)
            .mustUp("abc")
            .map((step) => step.split(" ")[0]);
        const growth = kinds.filter((kind) => ["add-learner", "join", "promote"].includes(kind!));
        assert.deepEqual(growth, ["add-learner", "join", "promote", "add-learner", "join", "promote"]);
    });

    it("promotes learners that have started before it adds more, which would change the list under them", () => {
        const cluster = grown("abcde", "a", 4);
        cluster.up("abc", () => {
            if (cluster.isReady("c")) throw new Died();
        });
        const steps = cluster.mustUp("abcde");
        const [promoted, added] = [steps.indexOf("promote c"), steps.indexOf("add-learner d")];
        assert.ok(promoted >= 0 && promoted < added, steps.join(", "));
    });

    it("starts the next learner only when the one before it has found its peers", () => {
        const cluster = grown("abc", "a");
        const [, b, c] = cluster.lab.machines;
        cluster.up("abc", () => {
            if (b!.service) throw new Died();
        });
        assert.equal(b!.data, undefined);
        assert.equal(cluster.foresee("abc").verdict, "wait");
        assert.equal(c!.service, undefined);
        cluster.mustUp("abc");
    });

    it("adds nobody while a voter takes part and does not answer its clients", () => {
        const cluster = grown("abcde", "abc");
        cluster.up("abcde", () => {
            if (cluster.lab.machines.every(({ current }) => current !== undefined)) throw new Died();
        });
        assert.equal(cluster.foresee("abcde").kinds[0], "add-learner");
        const late = cluster.foresee("abcde", ({ hosts, cluster: answering }) => ({
            hosts: { ...hosts, b: { ...hosts.b!, unit: "activating", status: undefined, servesPeers: true } },
            cluster: answering,
        }));
        assert.equal(late.verdict, "wait");
    });

    it("is empty when all is as declared, and when only the order of the list was changed", () => {
        const cluster = grown("abc", "abc");
        assert.deepEqual(cluster.mustUp("abc"), []);
        assert.deepEqual(cluster.mustUp("cba"), []);
    });

    it("lets followers go before the leader, moves the lead before it removes who has it, and retires a host only after its member is gone", () => {
        const cluster = grown("abc", "abc");
        const steps = cluster.mustUp("c");
        assert.equal(cluster.voters, "c");
        assert.ok(steps.indexOf("remove b") < steps.indexOf("move-leader c"), steps.join(", "));
        assert.ok(steps.indexOf("move-leader c") < steps.indexOf("remove a"), steps.join(", "));
        for (const name of "ab")
            assert.ok(steps.indexOf(`remove ${name}`) < steps.indexOf(`retire ${name}`), steps.join(", "));
    });

    it("promotes no learner on its own word: the leader must hear it", () => {
        const cluster = grown("abc", "a");
        cluster.up("abc", () => {
            if (cluster.lab.clusters[0]!.members.length === 3 && cluster.isReady("c")) throw new Died();
        });
        cluster.lab.advance(10_000);
        assert.ok(cluster.foresee("abc").kinds.includes("promote"));
        const cutOff = cluster.foresee("abc", ({ hosts, cluster: answering }) => {
            assert.equal(hosts.b!.status?.isLearner, true);
            assert.equal(hosts.b!.servesPeers, true);
            const [b, c] = [hosts.b!, hosts.c!].map((host) => ({ ...host, servesPeers: false }));
            return { hosts: { ...hosts, b: b!, c: c! }, cluster: answering };
        });
        assert.equal(cutOff.verdict, "wait");
    });

    it("starts a member that is declared no more, and whose unit is gone, where the quorum needs it to be let go", () => {
        const cluster = grown("abc", "abc");
        for (const name of "bc") {
            const machine = cluster.lab.machines.find((one) => one.name === name)!;
            Object.assign(machine, { hasUnit: name === "c", isEnabled: false, service: undefined });
        }
        cluster.lab.machines[2]!.isPowered = false;
        const steps = cluster.mustUp("a");
        assert.deepEqual(steps.slice(0, 2), ["activate b", "start b"]);
        assert.equal(cluster.voters, "a");
    });

    it("replaces a member whose log is damaged by a copy of what the others have, and touches no other", () => {
        const { kinds, refusal } = grown("abc", "abc").foresee("abc", damaged("b"));
        assert.equal(refusal, undefined);
        const wanted = ["remove", "set-aside", "add-learner", "join", "promote"];
        assert.deepEqual(
            kinds.filter((kind) => wanted.includes(kind)),
            wanted,
        );
    });

    it("does nothing about a damaged log where nobody else has a copy", () => {
        const { kinds, refusal } = grown("a", "a").foresee("a", damaged("a"));
        assert.deepEqual(kinds, []);
        assert.match(refusal ?? "", /a quorum answers/);
    });

    it("adds the newcomer before it removes a healthy member that it replaces", () => {
        const cluster = grown("abcd", "abc");
        const steps = cluster.mustUp("abd");
        assert.ok(steps.indexOf("promote d") < steps.indexOf("remove c"), steps.join(", "));
        assert.equal(cluster.voters, "abd");
    });

    it("removes a dead member before it adds another", () => {
        const cluster = grown("abcd", "abc");
        const dead = cluster.lab.machines.find(({ name }) => name === "c")!;
        dead.isPowered = false;
        dead.service = undefined;
        const { steps, error } = cluster.up("abd");
        assert.equal(error, undefined);
        assert.ok(steps.indexOf("remove c") < steps.indexOf("add-learner d"), steps.join(", "));
        assert.equal(cluster.voters, "abd");
    });

    it("restarts followers first, and the leader last, after it has handed over", () => {
        const cluster = grown("abc", "abc");
        cluster.revise();
        const steps = cluster.mustUp("abc");
        assert.equal(steps.filter((step) => step.startsWith("restart")).length, 3);
        assert.match(steps.at(-2)!, /^move-leader/);
        assert.match(steps.at(-1)!, /^restart/);
    });

    it("touches one member only when a generation does not start, and none but that one on the way back", () => {
        const cluster = grown("abc", "abc");
        cluster.revise("crashing");
        const broken = cluster.up("abc");
        assert.notEqual(broken.error, undefined);
        const name = /^(\w): /.exec(broken.error!)?.[1];
        const untouched = [..."abc"].filter((other) => other !== name);
        for (const other of untouched) assert.equal(cluster.generationOf(other), `${other}-r0`);
        cluster.revise();
        const healed = cluster.mustUp("abc");
        assert.match(healed[0]!, new RegExp(`^(restart|activate|start) ${name}$`));
    });

    it("refuses an even size, and says what to declare", () => {
        assert.match(grown("abcd", "abc").foresee("abcd").refusal!, /allowEvenSize/);
    });

    it("foresees the very kinds of steps that a growth then takes", () => {
        const cluster = grown("abc", "a");
        const { kinds } = cluster.foresee("abc");
        const steps = cluster.mustUp("abc").map((step) => step.split(" ")[0]);
        assert.deepEqual(
            kinds.filter((kind) => kind !== "record"),
            steps.filter((kind) => kind !== "record"),
        );
    });
});

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
