/** Hosts that get other addresses and ports: the same machines, with the same data. */
import type { Lab } from "./lab";
import { addressOf, type Machine } from "./machine";
import { voters } from "./raft";
import type { Random } from "./random";

export class Moves {
    private count = 0;
    /** What is to be declared when the moves before have come to their end. */
    private readonly later: { readonly machine: Machine; readonly address: string }[] = [];

    constructor(
        private readonly lab: Lab,
        private readonly random: Random,
    ) {}

    /** An edit of the list: some of those that are declared are declared elsewhere. */
    some(machines: readonly Machine[]): void {
        const count = this.random.pick([1, 1, 1, 2, 3]);
        for (const machine of this.random.shuffled(machines).slice(0, count)) {
            if (this.random.chance(0.3)) machine.peerPort = machine.peerPort === 2380 ? 2390 : 2380;
            else this.readdress(machine);
        }
    }

    /** It has the address by now, and keeps the one before for a while, or not at all. */
    private readdress(machine: Machine): void {
        const known = machine.everHad.filter((address) => address !== machine.address);
        this.count += 1;
        const isBack = known.length > 0 && this.random.chance(0.5);
        const address = isBack ? this.random.pick(known) : `10.1.${machine.id.split(".")[3]}.${this.count}`;
        machine.everHad = [...new Set([...machine.everHad, address])];
        machine.addresses = [...new Set([...machine.addresses, address])];
        machine.address = address;
        if (this.random.chance(0.3)) this.lose(machine);
    }

    /** Not all at once: of two that are where nobody finds them, neither comes back before the other. */
    loseOne(machines: readonly Machine[]): void {
        const machine = this.random.pick(machines);
        if (this.lose(machine)) this.lab.faults += 1;
    }

    /** What was never founded is known by its address alone: that one is not lost. */
    private lose(machine: Machine): boolean {
        if (this.lab.clusters.length === 0) return false;
        if (machine.addresses.length < 2 || !this.isSpared(machine)) return false;
        const lost = machine.addresses.filter((address) => address !== machine.address);
        machine.addresses = [machine.address];
        if (machine.service && lost.includes(machine.service.address)) this.lab.network.cut(machine);
        this.lab.tell(`! ${machine.name} loses ${lost.join(" ")} and has ${machine.address}`);
        return true;
    }

    /** All others that vote take part, and could do so if they were started anew; or there is no other. */
    private isSpared(machine: Machine): boolean {
        const { network } = this.lab;
        const isWhereItWas = ({ addresses, current }: Machine, one: Machine): boolean =>
            current === undefined || addresses.includes(addressOf(one, current));
        if (this.lab.machines.some((one) => one !== machine && !isWhereItWas(one, one))) return false;
        const home = this.lab.memberOn(machine);
        if (!home) return machine.data === undefined;
        const others = voters(home.cluster).filter((voter) => voter !== home.member);
        const leader = this.lab.raft.leads(home.cluster);
        return others.every((voter) => {
            const other = this.lab.machineOf(voter);
            if (!leader || !other?.service?.isReady || !network.areConnected(leader, other)) return false;
            return other.servedPeerUrl === voter.peerUrl && other.certified === other.service.address;
        });
    }

    /** The operator lets one address change after the other, as told. */
    heed(error: string | undefined, machines: readonly Machine[]): boolean {
        const told = /change their addresses at once: (.*), at most/.exec(error ?? "")?.[1];
        if (told === undefined) return false;
        const moves = [...told.matchAll(/"(\w+)" \((\S+) to/g)].map(([, name, from]) => ({
            machine: machines.find((one) => one.name === name)!,
            from: from!,
        }));
        const first = moves.find(({ machine, from }) => !machine.addresses.includes(from)) ?? moves[0]!;
        for (const { machine, from } of moves) {
            if (machine === first.machine) continue;
            this.postpone(machine);
            machine.address = from;
        }
        return true;
    }

    /** It is to be declared where it is declared now, when all is well elsewhere. */
    postpone(machine: Machine): void {
        this.later.push({ machine, address: machine.address });
    }

    /** Declares the next one elsewhere. */
    next(machines: readonly Machine[]): boolean {
        const next = this.later.shift();
        if (!next) return false;
        const { machine, address } = next;
        if (!machines.includes(machine) || !machine.addresses.includes(address)) return this.next(machines);
        machine.address = address;
        return true;
    }
}
