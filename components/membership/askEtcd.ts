/** Whose etcd is asked for a change, over the connections that the observer has. */
import { isEtcdError } from "../remote/errors";
import type { EtcdClient } from "../remote/etcdClient";
import type { Observer } from "./observe";
import type { Id, Observation } from "./types";
import { leaderToAsk, votersToAsk } from "./whomToAsk";

export class AskEtcd {
    constructor(
        private readonly observer: Observer,
        private readonly seen: Observation,
    ) {}

    async leader(call: (leader: EtcdClient) => Promise<unknown>): Promise<void> {
        await call(await this.client(leaderToAsk(this.seen)));
    }

    /**
     * One voter after the other, the leader first, while they call the cluster unhealthy: each counts its own connections, and one may lack
     * what another has.
     * @param except a member that is not asked
     */
    async voters(call: (voter: EtcdClient) => Promise<unknown>, except?: Id): Promise<void> {
        const [first, ...others] = votersToAsk(this.seen, except);
        let asked = this.client(first).then(call);
        for (const key of others)
            asked = asked.catch(async (error: unknown) => {
                if (!isEtcdError(error) || error.code !== "unhealthy-cluster") throw error;
                return call(await this.client(key));
            });
        await asked;
    }

    private async client(key: string | undefined): Promise<EtcdClient> {
        if (key === undefined) throw new Error("no voter answers");
        return this.observer.client(key);
    }
}
