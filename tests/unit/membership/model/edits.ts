/** What an operator may make of the list of hosts. */
import type { Lab } from "./lab";
import type { Machine } from "./machine";
import type { Random } from "./random";

type Machines = readonly Machine[];

export class Edits {
    /** How many names were given besides those that machines begin with. */
    private names = 0;

    constructor(
        private readonly lab: Lab,
        private readonly random: Random,
    ) {}

    /** Any hosts, in any order, no two of one name. */
    any(): Machines {
        const size = this.random.pick([1, 1, 2, 3, 3, 3, 4, 5]);
        const byName = new Map(this.random.shuffled(this.lab.machines).map((machine) => [machine.name, machine]));
        return this.random.shuffled([...byName.values()]).slice(0, size);
    }

    swapOne(before: Machines): Machines {
        const leaving = this.random.pick(before);
        const staying = before.filter((machine) => machine !== leaving);
        const free = this.lab.machines.filter((m) => m !== leaving && staying.every(({ name }) => name !== m.name));
        if (free.length === 0) return before;
        const coming = this.random.pick(free);
        return before.map((machine) => (machine === leaving ? coming : machine));
    }

    replaceAll(before: Machines): Machines {
        const free = this.random.shuffled(this.lab.machines).filter((m) => before.every(({ name }) => name !== m.name));
        const byName = new Map(free.map((machine) => [machine.name, machine]));
        return byName.size === 0 ? before : [...byName.values()].slice(0, before.length);
    }

    /** The same hosts, with their data, and one of them is called otherwise from now on. */
    renameOne(before: Machines): Machines {
        this.random.pick(before).name = `n${++this.names}`;
        return before;
    }

    /** The same hosts, with their data, and the member of one of them is to serve its peers at another port. */
    moveOne(before: Machines): Machines {
        const machine = this.random.pick(before);
        machine.peerPort = machine.peerPort === 2380 ? 2390 : 2380;
        return before;
    }
}
