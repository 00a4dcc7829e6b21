/** A step's effects on the model, one after the other: a run can die before each of them, and after the last. */
import type { Desired, Identity, Observation, Step, WantedHost } from "../../../../components/membership/types";
import { leaderToAsk, votersToAsk } from "../../../../components/membership/whomToAsk";
import { joinersAfter } from "../../../../components/membership/rules/admit";
import { memberOf, restoration } from "../../../../components/membership/world";
import { Endpoint, EtcdRefusal } from "./etcd";
import { ScriptFailed } from "./errors";
import type { Lab } from "./lab";
import type { Machine } from "./machine";
import { allHosts, isThere, machineAt } from "./observe";
import { putRestored } from "./restore";
import { disable, forget, forgetNote, setAside, stopOurs, stopTheirs, takeOver } from "./takeOver";

export type Effect = () => void;

/** What a step does, and which hosts a run looks at again after it. */
export interface Effects {
    readonly effects: readonly Effect[];
    readonly hosts: readonly string[];
    /** A script that ends only when etcd says that it is ready. */
    readonly awaits?: string;
    /** What the same script does then, and what it does when etcd does not say so. */
    readonly ready?: readonly Effect[];
    readonly failed?: readonly Effect[];
}

/** The run's side of a step: what it saw decides whom it asks. */
export class Actor {
    constructor(
        private readonly lab: Lab,
        private readonly wanted: Desired,
        private readonly seen: Observation,
    ) {}

    take(step: Step): Effects {
        switch (step.kind) {
            case "restore-snapshot":
                return this.onHosts([step.host], (key) => [
                    () => (this.reach(key).restored = undefined),
                    () => (this.reach(key).restored = restoration(this.wanted, this.host(key))),
                ]);
            case "bootstrap": {
                const { name, peerUrl } = this.host(step.host);
                const identity = this.identity(undefined, undefined);
                const file = { initialCluster: `${name}=${peerUrl}`, state: "new" as const };
                return this.onHosts([step.host], (key) => [
                    ...this.tell(key, file, identity),
                    ...this.activate(key, this.generation(key)),
                    ...(step.snapshot === undefined
                        ? [() => (this.reach(key).mayStartEmpty = true)]
                        : putRestored(this.lab, () => this.reach(key))),
                    ...this.start(key),
                ]);
            }
            case "let-in":
                return this.onHosts(step.hosts, (key) => [() => (this.reach(key).peers = step.addresses)]);
            case "activate":
                return this.onHosts(step.hosts, (key) => this.activate(key, this.generation(key)));
            case "add-learner":
                return this.onEtcd(() => this.askVoters((voter) => voter.addLearner(step.peerUrl)));
            case "join": {
                const file = { initialCluster: step.initialCluster, state: "existing" as const };
                const identity = this.identity(this.seen.cluster?.clusterId, step.memberId);
                const others = joinersAfter({ seen: this.seen, wanted: this.wanted }, step.host);
                return this.onHosts([step.host], (key) => [
                    ...this.tell(key, file, identity),
                    () => (this.reach(key).mayStartEmpty = true),
                    ...others.flatMap(({ host, member }) => this.tellAhead(host.key, file, member.id)),
                    ...this.start(key),
                    () => {
                        const machine = this.reach(key);
                        if (machine.data) machine.mayStartEmpty = false;
                    },
                ]);
            }
            case "start":
                return this.onHosts([step.host], (key) => this.start(key));
            case "update-peer":
                return this.onEtcd(() => this.askVoters((voter) => voter.update(step.memberId, step.to)));
            case "promote":
                return {
                    effects: [
                        ...(this.seen.hosts[step.host]?.mayStartEmpty
                            ? [() => (this.reach(step.host).mayStartEmpty = false)]
                            : []),
                        () => this.leader().promote(step.memberId),
                    ],
                    hosts: [],
                };
            case "move-leader":
                return this.onEtcd(() => this.leader().moveLeader(step.toId));
            case "remove": {
                const gone = Object.keys(this.seen.hosts).filter((key) => this.memberId(key) === step.memberId);
                const { snapshotOn } = step;
                const snapshot =
                    snapshotOn === undefined ? [] : [() => void new Endpoint(this.lab, this.reach(snapshotOn))];
                const removal = (): void => this.askVoters((voter) => voter.remove(step.memberId), step.memberId);
                return {
                    effects: [...snapshot, removal],
                    hosts: gone.filter((key) => this.seen.hosts[key]?.reach.ok),
                };
            }
            case "set-aside":
                return this.onHosts([step.host], (key) => this.setAside(key));
            case "retire":
                return this.onHosts([step.host], (key) => [
                    ...this.retire(key),
                    () => (this.reach(key).hasUnit = false),
                    () => Object.assign(this.reach(key), { staged: undefined, current: undefined, peers: undefined }),
                    ...(machineAt(this.lab, this.wanted, key).isTakenOver ? [() => forget(this.reach(key))] : []),
                ]);
            case "record":
                return this.onHosts(step.hosts, (key) => [
                    ...this.tell(
                        key,
                        { initialCluster: step.initialCluster, state: "existing" },
                        this.identity(this.seen.cluster?.clusterId, this.memberId(key)),
                    ),
                    () => this.enable(key),
                ]);
            case "take-over":
                return this.takeOver(step.host, step.initialCluster);
            case "secure-peers": {
                const reach = (): Machine => this.reach(step.host);
                return {
                    ...this.onHosts([step.host], () => [
                        () => void (reach().plainPeers &&= "ending"),
                        () => this.lab.start(reach()),
                    ]),
                    awaits: step.host,
                    ready: [() => void (reach().plainPeers = undefined)],
                };
            }
            case "restart":
                return {
                    ...this.onHosts([step.host], (key) => [
                        ...this.activate(key, step.generation),
                        () => this.lab.start(Object.assign(this.reach(key), { hasNote: false })),
                    ]),
                    awaits: step.host,
                };
        }
    }

    private takeOver(key: string, initialCluster: string): Effects {
        const { foreign, initialClusterState } = this.seen.hosts[key]!;
        if (!foreign) throw new Error(`nothing that was set up by hand runs on "${key}"`);
        const file = { initialCluster, state: "existing" as const };
        const identity = this.identity(this.seen.cluster?.clusterId, this.memberId(key));
        const script = takeOver({
            lab: this.lab,
            reach: () => this.reach(key),
            foreign,
            lay: [
                ...(!foreign.isRunning && initialClusterState === "existing" ? [] : this.tell(key, file, identity)),
                ...this.activate(key, this.generation(key)),
            ],
        });
        return { ...script, hosts: [key], awaits: key };
    }

    private onHosts(keys: readonly string[], effects: (key: string) => readonly Effect[]): Effects {
        return { effects: keys.flatMap(effects), hosts: keys };
    }

    private onEtcd(call: Effect): Effects {
        return { effects: [call], hosts: [] };
    }

    private host(key: string): WantedHost {
        return allHosts(this.wanted).find((host) => host.key === key)!;
    }

    private memberId(key: string): string | undefined {
        return memberOf({ seen: this.seen, wanted: this.wanted }, this.host(key))?.id;
    }

    private reach(key: string): Machine {
        const machine = machineAt(this.lab, this.wanted, key);
        if (!isThere(machine, this.host(key).address)) throw new ScriptFailed(`${key}: no route to host`);
        return machine;
    }

    private identity(clusterId: string | undefined, memberId: string | undefined): Identity {
        return { clusterToken: this.wanted.clusterToken, clusterId, memberId };
    }

    private generation(key: string): string {
        const { generation } = this.host(key);
        if (generation === undefined) throw new ScriptFailed(`${key}: no generation is known`);
        return generation;
    }

    private tell(key: string, file: NonNullable<Machine["told"]>, identity: Identity): readonly Effect[] {
        return [() => (this.reach(key).told = file), () => (this.reach(key).identity = identity)];
    }

    /** Of a host that joins next: what fails is found when it is its turn. */
    private tellAhead(key: string, file: NonNullable<Machine["told"]>, memberId: string): readonly Effect[] {
        const identity = this.identity(this.seen.cluster?.clusterId, memberId);
        const machine = machineAt(this.lab, this.wanted, key);
        const effects = [...this.tell(key, file, identity), () => void (machine.mayStartEmpty = true)];
        return effects.map((effect) => () => void (isThere(machine, this.host(key).address) && effect()));
    }

    private activate(key: string, generation: string): readonly Effect[] {
        return [
            () => {
                const machine = this.reach(key);
                if (machine.staged !== generation) throw new ScriptFailed(`${key}: ${generation} was not staged`);
                machine.hasUnit = true;
            },
            () => (this.reach(key).current = generation),
        ];
    }

    private enable(key: string): void {
        const machine = this.reach(key);
        if (!machine.hasUnit) throw new ScriptFailed(`${key}: unit not found`);
        machine.isEnabled = true;
    }

    private start(key: string): readonly Effect[] {
        return [
            () => void (this.reach(key).told ??= {}),
            () => this.enable(key),
            () => this.lab.start(this.reach(key)),
        ];
    }

    private setAside(key: string): readonly Effect[] {
        const { foreign } = this.seen.hosts[key]!;
        if (!foreign) return this.clear(key);
        return [
            () => disable(this.reach(key)),
            () => stopTheirs(this.reach(key)),
            ...this.clear(key),
            () => forgetNote(this.reach(key)),
        ];
    }

    private retire(key: string): readonly Effect[] {
        return this.seen.hosts[key]!.identity ? this.setAside(key) : this.clear(key, false);
    }

    private clear(key: string, isDataOurs = true): readonly Effect[] {
        return [
            () => (this.reach(key).isEnabled = false),
            () => stopOurs(this.reach(key)),
            ...(isDataOurs ? [() => setAside(this.reach(key))] : []),
            () => (this.reach(key).identity = undefined),
            () => Object.assign(this.reach(key), { told: undefined, mayStartEmpty: false }),
        ];
    }

    private leader(): Endpoint {
        return this.endpoint(leaderToAsk(this.seen));
    }

    private askVoters(call: (voter: Endpoint) => void, except?: string): void {
        const keys = votersToAsk(this.seen, except);
        for (const key of [keys[0], ...keys.slice(1)]) {
            try {
                return call(this.endpoint(key));
            } catch (error) {
                const isLast = key === keys.at(-1);
                if (isLast || !(error instanceof EtcdRefusal) || error.code !== "unhealthy-cluster") throw error;
            }
        }
    }

    private endpoint(key: string | undefined): Endpoint {
        if (key === undefined) throw new EtcdRefusal("unavailable", "no voter answers");
        return new Endpoint(this.lab, this.reach(key));
    }
}
