/**
 * Clients that read and write all the time while a cluster changes or breaks, and an account of what they saw.
 *
 *     const workload = await startWorkload(outputs);            // outputs of a cluster that was declared with workloadClient(...)
 *     await workload.phase("1 → 3");
 *     …change the cluster…
 *     await workload.use(endpoints);                            // members come and go
 *     const report = await workload.stop();
 *     assertSound(report);
 */
import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";

import type { ClientArgs } from "../../../components";
import type { EtcdCredentials } from "../../../components/remote/etcdAccess";
import type { ClusterOutputs } from "../../integration/project";
import { loadProblems } from "./load";
import { measure, type PhaseReport } from "./measures";
import type { Reply, Request } from "./protocol";
import type { Recording } from "./recording";
import { violations } from "./soundness";

const checkout = join(__dirname, "..", "..", "..");
const NAME = "workload";

export interface WorkloadOptions {
    /** Where the clients begin. @default all that the cluster's outputs name */
    readonly endpoints?: readonly string[];
    /** Of each call, in milliseconds. @default 500 */
    readonly deadlineMs?: number;
    /** How many times longer than they may clients rest between two operations: what load is spared, runs go faster. @default 1 */
    readonly leisure?: number;
    /** The name of the first phase. @default "before" */
    readonly phase?: string;
    /** How long the clients may take to get their first writes acknowledged, in seconds. @default 60 */
    readonly startSeconds?: number;
    /** How long the end may take, with members that lag, in seconds. @default 20 */
    readonly settleSeconds?: number;
    /** Keys begin with `w/` and this. @default a new name for each workload, so that several can follow each other on one cluster */
    readonly run?: string;
    /** Fewer acknowledged writes than this in a phase fail the run. @default 20 */
    readonly minimumWrites?: number;
}

export interface WorkloadReport {
    readonly phases: readonly PhaseReport[];
    /** What must never happen: lost writes, stale reads, … Empty when the run was sound. */
    readonly violations: readonly string[];
    /** Why the run says nothing, if it does not: too few operations. */
    readonly loadProblems: readonly string[];
    readonly recording: Recording;
}

/** What a cluster has to declare for the workload: `clients: [workloadClient(await addressTowards(host))]`. */
export function workloadClient(machine: string): ClientArgs {
    return { name: NAME, addresses: [machine] };
}

/** This machine's address, as a host sees it. */
export function addressTowards(host: string): Promise<string> {
    return new Promise((resolve, reject) => {
        const socket = connect(22, host, () => {
            resolve(socket.localAddress ?? "");
            socket.destroy();
        });
        socket.on("error", reject);
    });
}

/** Settles when every client has had writes acknowledged. @param outputs of a cluster that declares the workload's client */
export async function startWorkload(outputs: ClusterOutputs, options: WorkloadOptions = {}): Promise<Workload> {
    const credentials = outputs.clientCertificates[NAME];
    if (!credentials) throw new Error(`the cluster declares no client "${NAME}"; use workloadClient(…)`);
    return Workload.start(options.endpoints ?? outputs.endpoints, credentials, options);
}

export class Workload {
    private readonly replies = new Map<number, (reply: Reply) => void>();
    private calls = 0;
    private end: string | undefined;

    private constructor(
        private readonly child: ChildProcess,
        private readonly minimumWrites: number,
        private readonly startSeconds: number,
    ) {
        child.on("message", (reply: Reply) => {
            this.replies.get(reply.id)?.(reply);
            this.replies.delete(reply.id);
        });
        child.on("close", (code, signal) => {
            this.end = `the workload's process ended with ${signal ?? `exit code ${code}`}`;
            for (const [id, settle] of this.replies) settle({ id, error: this.end });
        });
    }

    /** @param credentials none for a cluster without TLS */
    static async start(
        endpoints: readonly string[],
        credentials: EtcdCredentials | undefined,
        options: Omit<WorkloadOptions, "endpoints"> = {},
    ): Promise<Workload> {
        const { minimumWrites = 20, startSeconds = 60 } = options;
        const child = fork(join(__dirname, "program.ts"), {
            // Node warns of addresses as TLS server names, which the members' certificates do hold.
            execArgv: ["--no-deprecation", "--require", join(checkout, "toolchain", "register.js")],
        });
        const workload = new Workload(child, minimumWrites, startSeconds);
        const run = options.run ?? Date.now().toString(36);
        await workload.ask({
            kind: "start",
            setting: {
                endpoints,
                credentials,
                prefix: `w/${run}-`,
                deadlineMs: options.deadlineMs ?? 500,
                leisure: options.leisure ?? 1,
                settleSeconds: options.settleSeconds ?? 20,
            },
        });
        await workload.awaitClients(endpoints);
        // What the clients take to connect says nothing about the cluster.
        await workload.phase(options.phase ?? "before");
        return workload;
    }

    /** What is done from now on counts for this phase. @param minimumWrites fewer acknowledged ones fail the run; 0 where no quorum is */
    async phase(name: string, minimumWrites = this.minimumWrites): Promise<void> {
        await this.ask({ kind: "phase", name, minimumWrites });
    }

    /** The endpoints from now on: a client begins or ends for each that is new or gone. */
    async use(endpoints: readonly string[]): Promise<void> {
        await this.ask({ kind: "use", endpoints });
    }

    /** Like `use`, and settles when the client of each endpoint has had writes acknowledged. */
    async useAll(endpoints: readonly string[]): Promise<void> {
        await this.use(endpoints);
        await this.awaitClients(endpoints);
    }

    /** Settles when so many more writes were acknowledged. @throws when that takes longer than so many seconds */
    async progress(writes: number, seconds = 60): Promise<void> {
        await this.ask({ kind: "progress", writes, seconds });
    }

    /** Ends the clients, looks at what is there, and judges it. @param replicas the members to compare; default: the endpoints in use */
    async stop(replicas?: readonly string[]): Promise<WorkloadReport> {
        try {
            const { recording } = await this.ask({ kind: "stop", ...(replicas && { replicas }) });
            return judge(recording!);
        } finally {
            this.abandon();
        }
    }

    /** Ends its process, without an account: for a test that has failed. */
    abandon(): void {
        this.child.kill("SIGKILL");
    }

    private async awaitClients(endpoints: readonly string[]): Promise<void> {
        const clients = endpoints.map((endpoint) => new URL(endpoint).host);
        await Promise.all(
            clients.map((client) => this.ask({ kind: "progress", writes: 5, seconds: this.startSeconds, client })),
        );
    }

    private ask(request: Request): Promise<Reply> {
        return new Promise((resolve, reject) => {
            const id = (this.calls += 1);
            const settle = (reply: Reply): void =>
                reply.error === undefined ? resolve(reply) : reject(new Error(reply.error));
            if (this.end !== undefined) return settle({ id, error: this.end });
            this.replies.set(id, settle);
            this.child.send({ id, request });
        });
    }
}

export function judge(recording: Recording): WorkloadReport {
    return {
        phases: measure(recording),
        violations: violations(recording),
        loadProblems: loadProblems(recording),
        recording,
    };
}

/** @throws when an acknowledged write was lost, a read was stale, …, or when there was too little load to tell */
export function assertSound(report: WorkloadReport): void {
    const problems = [...report.violations, ...report.loadProblems];
    const shown = problems.slice(0, 20).map((problem) => `\n- ${problem}`);
    assert.ok(
        problems.length === 0,
        `the workload found ${problems.length} ${problems.length === 1 ? "problem" : "problems"}:${shown.join("")}\n${describeReport(report)}`,
    );
}

/** An election takes 1 to 2 s after the leader fell silent for 1 s, etcd's `election-timeout`. */
const ELECTION_MS = 2000;

/** @throws when writes stood still for so long that the cluster may have lost its leader, which nothing that was planned may cost it */
export function assertLed({ phases }: WorkloadReport): void {
    for (const { name, longestGapMs } of phases)
        assert.ok(longestGapMs < ELECTION_MS, `${name}: no write was acknowledged for ${longestGapMs.toFixed(0)} ms`);
}

/** One line per phase. */
export function describeReport({ phases, recording }: WorkloadReport): string {
    const lines = phases.map(
        ({ name, acknowledged, failed, failedBy, longestGapMs, longestSilenceMs, p50Ms, p99Ms }) =>
            `${name}: ${acknowledged} writes acknowledged, ${failed} not${failed > 0 ? ` ${JSON.stringify(failedBy)}` : ""}; longest gap ${longestGapMs.toFixed(0)} ms (of all clients ${longestSilenceMs.toFixed(0)} ms), p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`,
    );
    const { register, reads, watched, watchConnections } = recording;
    return [
        ...lines,
        `${register.length} operations on the register, ${reads.length} reads, ${watched.length} watched events over ${watchConnections} connections`,
    ].join("\n");
}
