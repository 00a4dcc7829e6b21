import { noop } from "cockatiel";
import { Etcd3, type IHashKVResponse } from "etcd3";

import type { EtcdCredentials } from "../../../components/remote/etcdAccess";

/** A connection that has not answered for so long is made anew: after a cut, TCP may take long to notice that the way is free again. */
const STALE_MS = 2000;

/** etcd3 asks for this one call by a name that is not in its own protocol file. */
class Client extends Etcd3 {
    hashKv(revision: number, options: { readonly deadline: number }): Promise<IHashKVResponse> {
        return this.pool.exec("Maintenance", "HashKV", { revision }, options);
    }
}

/** One member's client port. Every call is tried once, within its deadline. */
export class Endpoint {
    private client: Client;
    private aliveMs = performance.now();

    constructor(
        readonly url: string,
        private readonly credentials: EtcdCredentials | undefined,
        private readonly deadlineMs: number,
    ) {
        this.client = this.connect();
    }

    /** Its address, which names it among the others. */
    get name(): string {
        return new URL(this.url).host;
    }

    async call<T>(use: (client: Client, options: { readonly deadline: number }) => Promise<T>): Promise<T> {
        try {
            const answer = await use(this.client, { deadline: Date.now() + this.deadlineMs });
            this.aliveMs = performance.now();
            return answer;
        } catch (error) {
            this.renew();
            throw error;
        }
    }

    /** For streams, which have no deadline. */
    get etcd(): Client {
        return this.client;
    }

    renew(): void {
        if (performance.now() - this.aliveMs < STALE_MS) return;
        this.client.close();
        this.client = this.connect();
        this.aliveMs = performance.now();
    }

    close(): void {
        this.client.close();
    }

    private connect(): Client {
        return new Client({
            hosts: this.url,
            ...(this.credentials && {
                credentials: {
                    rootCertificate: Buffer.from(this.credentials.ca),
                    privateKey: Buffer.from(this.credentials.key),
                    certChain: Buffer.from(this.credentials.cert),
                },
            }),
            // Never again by itself: a call whose answer was lost may have been done.
            faultHandling: { host: () => noop, global: noop },
            grpcOptions: {
                "grpc.enable_retries": 0,
                "grpc.enable_http_proxy": 0,
                "grpc.initial_reconnect_backoff_ms": 50,
                "grpc.max_reconnect_backoff_ms": 200,
                // Else a new client of the same address gets the connection of the one that it replaces.
                "grpc.use_local_subchannel_pool": 1,
            },
        });
    }
}
