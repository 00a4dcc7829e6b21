/** A client of a cluster that writes all the time, and keeps account. */
import { connect } from "node:net";

import { noop } from "cockatiel";
import { Etcd3 } from "etcd3";

import type { ClusterOutputs } from "./project";

export interface Account {
    /** The keys whose writes were acknowledged. */
    readonly acknowledged: readonly string[];
    /** What happened to the others is not known. */
    readonly failed: number;
    /** Between two acknowledgements, in milliseconds. */
    readonly longestGapMs: number;
}

const DEADLINE_MS = 1000;

/** Writes one key after the other, each once, and goes on to the next member when one does not acknowledge. */
export class Writer {
    private readonly acknowledged: string[] = [];
    private failed = 0;
    private longestGapMs = 0;
    private lastMs = performance.now();
    private isStopped = false;
    private readonly work: Promise<void>;

    constructor(
        endpoints: readonly string[],
        credentials: ClusterOutputs["operator"],
        private readonly prefix = "w/",
    ) {
        const clients = endpoints.map(
            (endpoint) =>
                new Etcd3({
                    hosts: endpoint,
                    credentials: {
                        rootCertificate: Buffer.from(credentials.ca),
                        privateKey: Buffer.from(credentials.key),
                        certChain: Buffer.from(credentials.cert),
                    },
                    faultHandling: { host: () => noop, global: noop },
                    grpcOptions: {
                        "grpc.enable_retries": 0,
                        "grpc.enable_http_proxy": 0,
                        "grpc.max_reconnect_backoff_ms": 200,
                    },
                }),
        );
        this.work = this.write(clients).finally(() => clients.forEach((client) => client.close()));
    }

    /** Until this many more writes were acknowledged. */
    async progress(writes: number): Promise<void> {
        const wanted = this.acknowledged.length + writes;
        while (this.acknowledged.length < wanted && !this.isStopped) await rest();
    }

    async stop(): Promise<Account> {
        this.isStopped = true;
        await this.work;
        const { acknowledged, failed, longestGapMs } = this;
        return { acknowledged, failed, longestGapMs };
    }

    private async write(clients: readonly Etcd3[]): Promise<void> {
        for (let [number, member] = [0, 0]; !this.isStopped; number += 1) {
            const key = `${this.prefix}${String(number).padStart(6, "0")}`;
            try {
                await clients[member]!.kv.put(
                    { key: Buffer.from(key), value: Buffer.from(key) },
                    { deadline: Date.now() + DEADLINE_MS },
                );
                this.acknowledge(key);
            } catch {
                this.failed += 1;
                member = (member + 1) % clients.length;
                await rest();
            }
        }
    }

    private acknowledge(key: string): void {
        const now = performance.now();
        this.longestGapMs = Math.max(this.longestGapMs, now - this.lastMs);
        this.lastMs = now;
        this.acknowledged.push(key);
    }
}

export function tell({ acknowledged, failed, longestGapMs }: Account): string {
    return `${acknowledged.length} writes acknowledged, ${failed} not, longest gap ${longestGapMs.toFixed(0)} ms`;
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

function rest(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, 5));
}
