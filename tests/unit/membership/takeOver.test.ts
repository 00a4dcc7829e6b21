import assert from "node:assert/strict";

import { Faults } from "./model/faults";
import { Lab } from "./model/lab";
import { Machine } from "./model/machine";
import { voters } from "./model/raft";
import type { Adoption } from "./model/preflight";
import { Random } from "./model/random";
import type { Program, State } from "./model/program";
import { Died, up, type Meanwhile } from "./model/run";
import { foundByHand, judgeTakenOver, type Theirs } from "./model/takeOver";

/** A cluster that somebody set up by hand, and the runs that take it over. */
class HandMade {
    readonly lab: Lab;
    readonly ids: readonly string[];
    private readonly adoption: Adoption = { isSet: true, inherited: undefined, owner: 1 };
    private state: State = {};

    constructor(names: string, { isPlain = false, isElsewhere = true }: Partial<Theirs> = {}) {
        const machines = [...names].map((name, index) => new Machine(name, `10.0.0.${index + 1}`));
        this.lab = new Lab(machines, new Random(1));
        this.lab.revisions.push(
            { health: "fine", maxLearners: 2, isTakingOver: true },
            { health: "fine", maxLearners: undefined, isTheirs: true },
        );
        const cluster = foundByHand(this.lab, machines, isPlain);
        for (const machine of machines) {
            machine.data!.isElsewhere = isElsewhere;
            machine.theirs = { ...machine.theirs!, isElsewhere };
        }
        this.ids = cluster.members.map(({ id }) => id);
        this.lab.advance(10_000);
    }

    machine(name: string): Machine {
        return this.lab.machines.find((machine) => machine.name === name)!;
    }

    program(names: string): Program {
        const machines = [...names].map((name) => this.machine(name));
        return { machines, revision: 0, allowEvenSize: true, adoption: this.adoption };
    }

    /** @returns why it ended */
    up(names: string, meanwhile?: Meanwhile): string | undefined {
        this.lab.advance(10_000);
        const { state, error } = up(this.lab, this.program(names), this.state, meanwhile);
        this.state = state;
        return error;
    }

    /** A run that dies at its nth chance to. @returns whether it came to that */
    dieAt(names: string, moment: number, fault: () => void): boolean {
        let left = moment;
        const error = this.up(names, () => {
            if (left-- > 0) return;
            fault();
            throw new Died();
        });
        return error === "died";
    }

    mustBeOurs(): void {
        const [cluster, ...others] = this.lab.clusters;
        assert.deepEqual(others, []);
        judgeTakenOver(cluster!, (member) => this.lab.machineOf(member));
        assert.deepEqual(
            voters(cluster!).map(({ id }) => id),
            this.ids,
        );
    }
}

const ways: readonly Partial<Theirs>[] = [true, false].flatMap((isPlain) =>
    [true, false].map((isElsewhere) => ({ isPlain, isElsewhere })),
);

describe("the take-over of a cluster of the model that was set up by hand", () => {
    it("is gone on with by the next run wherever one dies, whatever stops there in that moment", () => {
        const faults: readonly ((lab: Lab, machine: Machine) => void)[] = [
            (_, machine) => Object.assign(machine, { service: undefined }),
            (lab, machine) => {
                Object.assign(machine, { service: undefined });
                lab.boot(machine);
            },
        ];
        for (const way of ways) {
            for (const fault of faults) {
                let moment = 0;
                for (let hasDied = true; hasDied; moment += 1) {
                    const cluster = new HandMade("abc", way);
                    const { lab } = cluster;
                    hasDied = cluster.dieAt("abc", moment, () => fault(lab, cluster.machine("b")));
                    const error = cluster.up("abc");
                    if (error !== undefined) {
                        assert.match(
                            error,
                            /b.* (holds etcd data|does not run|does not answer|nothing of the cluster)/,
                        );
                        // As told.
                        new Faults(lab, lab.random).mendAll();
                        assert.equal(cluster.up("abc"), undefined, `${JSON.stringify(way)} ${moment}`);
                    }
                    cluster.mustBeOurs();
                }
                assert.ok(moment > 30);
            }
        }
    });

    it("removes no member that was stopped before its turn, wherever its data is, and says what to start", () => {
        for (const way of ways) {
            const cluster = new HandMade("abc", way);
            let looks = 0;
            const error = cluster.up("abc", () => {
                looks += 1;
                if (looks === 1) cluster.machine("c").service = undefined;
            });
            assert.match(error ?? "", /host "c" \(10\.0\.0\.3\): its etcd is to be taken over and does not run/);
            assert.match(error ?? "", /start it as it was set up/);
            assert.equal(voters(cluster.lab.clusters[0]!).length, 3);
        }
    });

    it("founds no cluster when all that is to be taken over has stopped", () => {
        const cluster = new HandMade("a");
        const error = cluster.up("a", () => (cluster.machine("a").service = undefined));
        assert.match(error ?? "", /no cluster is founded: one is to be taken over/);
        assert.equal(cluster.lab.clusters.length, 1);
        assert.equal(cluster.machine("a").told, undefined);
    });
});
