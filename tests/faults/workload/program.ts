/** The workload's own process: its clients do not wait for what a test does, nor the other way round. */
import { startClient, startRoamingClient, textOf } from "./clients";
import { Endpoint } from "./endpoint";
import { lookAtReplica, readAll } from "./final";
import type { Call, Reply, Request, Setting } from "./protocol";
import { Recorder } from "./recorder";
import type { Recording } from "./recording";
import { Watch } from "./watch";

const FINAL_DEADLINE_MS = 5000;

interface Running {
    readonly endpoint: Endpoint;
    readonly beganMs: number;
    readonly stop: () => Promise<void>;
}

class Program {
    private readonly recorder: Recorder;
    private readonly running = new Map<string, Running>();
    private readonly seconds = new Map<string, number>();
    private readonly roaming: { readonly stop: () => Promise<void> };
    private readonly watch: Watch;

    constructor(private readonly setting: Setting) {
        this.recorder = new Recorder(setting.prefix);
        void this.use(setting.endpoints);
        this.roaming = startRoamingClient(this.recorder, () => this.endpoints(), setting.leisure);
        this.watch = new Watch(this.recorder, () => this.endpoints());
    }

    async serve(request: Exclude<Request, { kind: "start" }>): Promise<Recording | undefined> {
        switch (request.kind) {
            case "phase":
                this.recorder.beginPhase(request.name, request.minimumWrites);
                return undefined;
            case "use":
                await this.use(request.endpoints);
                return undefined;
            case "progress":
                await this.recorder.progress(request.writes, request.seconds, request.client);
                return undefined;
            case "stop":
                return this.stop(request.replicas);
        }
    }

    private endpoints(): readonly Endpoint[] {
        return [...this.running.values()].map(({ endpoint }) => endpoint);
    }

    /** One client per endpoint: those that are new begin, those that are not named any more end. */
    private async use(urls: readonly string[]): Promise<void> {
        for (const url of urls) {
            if (this.running.has(url)) continue;
            const endpoint = new Endpoint(url, this.setting.credentials, this.setting.deadlineMs);
            const { stop } = startClient(this.recorder, endpoint, this.setting.leisure);
            this.running.set(url, { endpoint, beganMs: performance.now(), stop });
        }
        const gone = [...this.running].filter(([url]) => !urls.includes(url));
        // First out of the list, so that nobody chooses it; closed when the last call through it has ended.
        for (const [url] of gone) this.running.delete(url);
        await Promise.all(gone.map(([, one]) => this.end(one)));
        for (const [, { endpoint }] of gone) endpoint.close();
    }

    private async end({ endpoint, beganMs, stop }: Running): Promise<void> {
        const seconds = (performance.now() - beganMs) / 1000;
        this.seconds.set(endpoint.name, (this.seconds.get(endpoint.name) ?? 0) + seconds);
        await stop();
    }

    private async stop(replicas?: readonly string[]): Promise<Recording> {
        const { recorder, setting } = this;
        await Promise.all([this.roaming.stop(), ...[...this.running.values()].map((one) => this.end(one))]);
        const endedMs = performance.now();
        // Nothing is measured any more: answers may take their time.
        const patient = (url: string): Endpoint => new Endpoint(url, setting.credentials, FINAL_DEADLINE_MS);
        const inUse = [...this.running.keys()].map(patient);
        const final = await readAll(inUse, setting.prefix, setting.settleSeconds);
        const newest = final.keys.reduce((highest, { revision }) => Math.max(highest, revision), 0);
        await this.watch.finish(newest, setting.settleSeconds);
        return {
            prefix: setting.prefix,
            registerKey: recorder.registerKey,
            phases: recorder.phases,
            endedMs,
            writes: recorder.writes,
            reads: recorder.reads,
            failedReads: recorder.failedReads,
            register: recorder.register,
            watched: recorder.watched,
            watchConnections: this.watch.connections,
            ...(this.watch.error !== undefined && { watchError: this.watch.error }),
            final,
            replicas: await Promise.all(
                (replicas?.map(patient) ?? inUse).map((one) =>
                    lookAtReplica(one, final.revision, setting.settleSeconds),
                ),
            ),
            clients: [...this.seconds].map(([client, seconds]) => ({ client, seconds })),
        };
    }
}

let program: Program | undefined;

async function answer(request: Request): Promise<Recording | undefined> {
    if (request.kind !== "start") return program!.serve(request);
    program = new Program(request.setting);
    return undefined;
}

process.on("message", ({ id, request }: Call) => {
    answer(request).then(
        (recording) => reply({ id, ...(recording && { recording }) }),
        (error: unknown) => reply({ id, error: textOf(error) }),
    );
});
// Whoever started it is gone.
process.on("disconnect", () => process.exit());

function reply(message: Reply): void {
    process.send!(message);
}
