import type { TimeoutArgs } from "./args";
import type { Timeouts } from "./membership/types";

/** Each member waits that long for each other one that starts at the same time (etcd server/etcdserver/corrupt.go), and some more. */
const COMPARISON_SECONDS = 10;

/** What is declared, and the defaults for so many hosts. */
export function timeoutsOf(hosts: number, args: TimeoutArgs = {}): Timeouts {
    return {
        healthSeconds: args.healthSeconds ?? Math.max(30, hosts * COMPARISON_SECONDS),
        syncSeconds: args.syncSeconds ?? 300,
        changeSeconds: args.changeSeconds ?? 30,
        lockSeconds: args.lockSeconds ?? 0,
        commandSeconds: args.commandSeconds ?? 60,
    };
}
