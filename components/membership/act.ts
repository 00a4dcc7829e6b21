/** One step → effects. Each effect can be repeated, and may be the last thing this process does. */
import * as adoption from "../adoption/scripts";
import { hostPaths, type HostPaths } from "../host/paths";
import { withoutTls } from "../host/settings";
import { AskEtcd } from "./askEtcd";
import type { Observer } from "./observe";
import { dropConnections, SNAPSHOT_SECONDS, takeSnapshot, type RemovalSite } from "./beforeRemoval";
import { allEnded, OnHosts } from "./onHosts";
import { refusalOf, type Outcome } from "./outcome";
import { putRestored, restoreSnapshot } from "./restoreScripts";
import { retireScript, setAsideScript } from "./retireScripts";
import * as scripts from "./scripts";
import type { Desired, Identity, Observation, Step } from "./types";
import { joinersAfter } from "./rules/admit";
import { memberOf, restoration, restoredToken } from "./world";

/** @param assertLocked asked again before what must not be done on an old observation. @throws when it may no longer be done */
export async function act(
    observer: Observer,
    wanted: Desired,
    seen: Observation,
    step: Step,
    assertLocked: () => void,
): Promise<Outcome> {
    const actor = new Actor(observer, wanted, seen, assertLocked);
    const outcome = await actor.take(step).catch((error: unknown) => {
        const refusal = refusalOf(error, Object.keys(seen.hosts));
        if (!refusal) throw error;
        return refusal;
    });
    return { ...outcome, ...(actor.note && { note: actor.note }) };
}

class Actor {
    /** What was done before etcd was asked, and is to be known whatever it answers. */
    note: string | undefined;
    private readonly paths: HostPaths;
    private readonly hosts: OnHosts;
    private readonly ask: AskEtcd;

    constructor(
        private readonly observer: Observer,
        private readonly wanted: Desired,
        private readonly seen: Observation,
        private readonly assertLocked: () => void,
    ) {
        this.paths = hostPaths(wanted.cluster, wanted.dataDir);
        this.hosts = new OnHosts(observer, wanted);
        this.ask = new AskEtcd(observer, seen);
    }

    async take(step: Step): Promise<Outcome> {
        switch (step.kind) {
            case "restore-snapshot":
                return this.restoreSnapshot(step.host, step.snapshot);
            case "bootstrap":
                return this.bootstrap(step.host, step.snapshot !== undefined);
            case "let-in":
                await this.hosts.runOnEach(step.hosts, "let peers in", () =>
                    scripts.writePeers(this.paths, step.addresses),
                );
                return { hosts: step.hosts };
            case "activate":
                await this.hosts.runOnEach(
                    step.hosts,
                    "put the generation in place",
                    (key) => `set -eu\n${scripts.activate(this.paths, this.generation(key))}`,
                );
                return { hosts: step.hosts };
            case "add-learner":
                await this.ask.voters((voter) => voter.memberAdd(step.peerUrl, true));
                return { hosts: [] };
            case "join":
                return this.join(step.host, step.memberId, step.initialCluster);
            case "start":
                await this.hosts.run(
                    step.host,
                    "start etcd",
                    `set -eu\n${this.start(step.host, this.seen.cluster ? scripts.start : scripts.startAndServe)}`,
                );
                return { hosts: [step.host] };
            case "update-peer":
                await this.ask.voters((voter) => voter.memberUpdate(step.memberId, [step.to]));
                return { hosts: [] };
            case "promote":
                // A learner says that it is ready some seconds after it could vote: till then, its unit would start without its data.
                if (this.seen.hosts[step.host]?.mayStartEmpty)
                    await this.hosts.run(
                        step.host,
                        "forbid a start without data",
                        scripts.forbidEmptyStart(this.paths),
                    );
                await this.ask.leader((leader) => leader.memberPromote(step.memberId));
                return { hosts: [] };
            case "move-leader":
                await this.ask.leader((leader) => leader.moveLeader(step.toId));
                return { hosts: [] };
            case "remove":
                return this.remove(step.memberId, step.snapshotOn);
            case "set-aside":
                return this.outcome(
                    step.host,
                    await this.hosts.run(
                        step.host,
                        "move data aside",
                        setAsideScript(this.paths, this.seen.hosts[step.host]!),
                    ),
                );
            case "retire":
                return this.outcome(
                    step.host,
                    await this.hosts.run(step.host, "retire", retireScript(this.paths, this.seen.hosts[step.host]!)),
                );
            case "record":
                await this.hosts.runOnEach(step.hosts, "write the member list", (key) =>
                    this.recordScript(key, step.initialCluster),
                );
                return { hosts: step.hosts };
            case "take-over":
                return this.takeOver(step.host, step.initialCluster);
            case "secure-peers": {
                const restart = scripts.restart(this.paths, this.wanted.timeouts.healthSeconds);
                await this.hosts.run(
                    step.host,
                    "restart etcd with TLS on its peer port",
                    `set -eu\n${adoption.securePeers(this.paths, restart)}`,
                    this.wanted.timeouts.healthSeconds + 30,
                );
                return { hosts: [step.host] };
            }
            case "restart":
                if (step.takesSnapshot) await this.keepSnapshot(step.host);
                await this.hosts.run(
                    step.host,
                    "restart etcd",
                    `set -eu\n${scripts.activate(this.paths, step.generation)}\n${scripts.restart(this.paths, this.wanted.timeouts.healthSeconds)}`,
                    this.wanted.timeouts.healthSeconds + 30,
                );
                return { hosts: [step.host] };
        }
    }

    /** What runs by hand is stopped only when all that ours needs is in place; a note leads a later run on from there. */
    private async takeOver(key: string, initialCluster: string): Promise<Outcome> {
        const { foreign, initialClusterState } = this.seen.hosts[key]!;
        if (!foreign) throw new Error(`nothing that was set up by hand runs on "${key}"`);
        const seconds = this.wanted.timeouts.healthSeconds;
        // From the note on it counts as begun, whether theirs runs or not: what only theirs can tell is kept before.
        const keep = [
            adoption.copyLeaves(this.paths, foreign.leaves),
            ...(foreign.isPlain
                ? [adoption.keepPlainPeers(this.paths, withoutTls(this.observer.host(key).peerUrl))]
                : []),
            adoption.note(this.paths, foreign),
        ];
        const memberId = memberOf(this.world, this.observer.host(key))?.id;
        const membership = scripts.writeMembership(
            this.paths,
            { initialCluster, initialClusterState: "existing" },
            this.identity(this.seen.cluster?.clusterId, memberId),
        );
        const isTold = !foreign.isRunning && initialClusterState === "existing";
        const script = [
            ...(foreign.isRunning ? keep : []),
            ...(isTold ? [] : [membership]),
            scripts.activate(this.paths, this.generation(key)),
            adoption.replaceUnit(this.paths, foreign, seconds),
        ];
        await this.hosts.run(key, "take over", ["set -eu", ...script].join("\n"), 2 * seconds + 200);
        return { hosts: [key] };
    }

    private start(key: string, start = scripts.start): string {
        return start(this.paths, this.seen.hosts[key]?.unit ?? "active");
    }

    private async restoreSnapshot(key: string, snapshot: string): Promise<Outcome> {
        const { version, releaseDir } = this.wanted;
        const host = this.observer.host(key);
        const member = { snapshot, name: host.name, peerUrl: host.peerUrl, version, releaseDir };
        const as = { clusterToken: restoredToken(this.wanted), note: restoration(this.wanted, host) };
        const script = `set -eu\n${restoreSnapshot(this.paths, { ...member, ...as })}`;
        await this.hosts.run(key, "restore the snapshot", script, SNAPSHOT_SECONDS);
        return { hosts: [key] };
    }

    /** @param isRestored it starts with what was restored */
    private async bootstrap(key: string, isRestored: boolean): Promise<Outcome> {
        const host = this.observer.host(key);
        await this.hosts.run(
            key,
            "bootstrap",
            [
                "set -eu",
                scripts.writeMembership(
                    this.paths,
                    { initialCluster: `${host.name}=${host.peerUrl}`, initialClusterState: "new" },
                    this.identity(undefined, undefined),
                ),
                scripts.activate(this.paths, this.generation(key)),
                isRestored ? putRestored(this.paths) : scripts.allowEmptyStart(this.paths),
                this.start(key),
            ].join("\n"),
        );
        return { hosts: [key] };
    }

    /** Those that join next are told the same meanwhile, so that they only have to be started then. */
    private async join(key: string, memberId: string, initialCluster: string): Promise<Outcome> {
        const tell = (id: string): readonly string[] => [
            "set -eu",
            scripts.setRemainsAside(this.paths),
            scripts.writeMembership(
                this.paths,
                { initialCluster, initialClusterState: "existing" },
                this.identity(this.seen.cluster?.clusterId, id),
            ),
            scripts.allowEmptyStart(this.paths),
        ];
        const script = [...tell(memberId), this.start(key), scripts.awaitLog(this.paths)];
        const joined = this.hosts.run(key, "join", script.join("\n")).then((said) => this.noteOf(key, said));
        // What fails there is told when it is their turn.
        const told = joinersAfter(this.world, key).map(({ host, member }) =>
            this.hosts.run(host.key, "tell who the peers are", tell(member.id).join("\n")).then(
                (said) => this.noteOf(host.key, said),
                () => "",
            ),
        );
        const notes = await allEnded([joined, ...told]);
        const note = notes.filter(Boolean).join("; ");
        return { hosts: [key], ...(note && { note }) };
    }

    /** A snapshot that was taken and checked comes before the removal of whoever votes. */
    private async remove(memberId: string, snapshotOn: string | undefined): Promise<Outcome> {
        if (snapshotOn !== undefined) await this.keepSnapshot(snapshotOn);
        const gone = Object.keys(this.seen.hosts).filter(
            (key) => memberOf(this.world, this.observer.host(key))?.id === memberId,
        );
        await dropConnections(this.site, memberId);
        await this.ask.voters((voter) => {
            this.assertLocked();
            return voter.memberRemove(memberId);
        }, memberId);
        const reachable = gone.filter((key) => this.seen.hosts[key]?.reach.ok);
        return { hosts: reachable };
    }

    private async keepSnapshot(key: string): Promise<void> {
        this.note = await takeSnapshot(this.site, key);
        // It may have taken long, or this machine have slept meanwhile.
        this.assertLocked();
    }

    private recordScript(key: string, initialCluster: string): string {
        const memberId = memberOf(this.world, this.observer.host(key))?.id;
        const identity = this.identity(this.seen.cluster?.clusterId, memberId);
        return `set -eu\n${scripts.writeMembership(this.paths, { initialCluster, initialClusterState: "existing" }, identity)}\nsystemctl enable --quiet --no-reload ${this.paths.unit}.service`;
    }

    private get site(): RemovalSite {
        const { hosts, observer, wanted, seen, paths } = this;
        return { hosts, observer, wanted, seen, paths };
    }

    private get world(): { seen: Observation; wanted: Desired } {
        return { seen: this.seen, wanted: this.wanted };
    }

    private identity(clusterId: string | undefined, memberId: string | undefined): Identity {
        return { clusterToken: this.wanted.clusterToken, clusterId, memberId };
    }

    private generation(key: string): string {
        const { generation, name } = this.observer.host(key);
        if (generation === undefined) throw new Error(`host "${name}" was given no generation`);
        return generation;
    }

    private outcome(key: string, stdout: string): Outcome {
        const note = this.noteOf(key, stdout);
        return { hosts: [key], ...(note && { note }) };
    }

    /** Empty where nothing was said. */
    private noteOf(key: string, stdout: string): string {
        const said = stdout.trim();
        return said && `"${this.observer.host(key).name}": ${said}`;
    }
}
