/** One client that writes, one key after the other, and notes what was acknowledged and when. */
import { pool } from "../components/remote/connectionPool";
import { openEtcd } from "../components/remote/etcdClient";
import type { Bed } from "../tests/integration/fixture";
import type { ClusterOutputs } from "../tests/integration/project";

export interface Written {
    readonly acknowledged: number;
    readonly failed: number;
    /** The longest time between two acknowledgements, in seconds. */
    readonly longestGapSeconds: number;
}

export interface Writer {
    readonly stop: () => Promise<Written>;
}

/** A write that has no answer after this long counts as failed. */
const DEADLINE_SECONDS = 0.5;

export async function startWriter(bed: Bed, host: string, outputs: ClusterOutputs): Promise<Writer> {
    const { address, publicHostKey } = bed.lab.host(host);
    const connection = await pool.connect({
        address,
        user: "root",
        privateKey: bed.lab.privateKey,
        hostKeys: [publicHostKey],
    });
    const client = await openEtcd(connection, {
        address,
        clientPort: 2379,
        serverName: host,
        timeoutSeconds: DEADLINE_SECONDS,
        ...outputs.operator,
    });
    let isOn = true;
    const work = (async (): Promise<Written> => {
        let [acknowledged, failed, longest, last] = [0, 0, 0, performance.now()];
        while (isOn) {
            try {
                await client.put(`bench/${acknowledged + failed}`, "x".repeat(100));
                const now = performance.now();
                longest = Math.max(longest, now - last);
                last = now;
                acknowledged += 1;
            } catch {
                failed += 1;
            }
        }
        client.close();
        return { acknowledged, failed, longestGapSeconds: longest / 1000 };
    })();
    return {
        stop: () => {
            isOn = false;
            return work;
        },
    };
}
