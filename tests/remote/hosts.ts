/** The lab hosts that these suites share, and the ways to reach them. */
import { ConnectionPool } from "../../components/remote/connectionPool";
import { isEtcdError, isRemoteError, type EtcdErrorCode, type RemoteErrorKind } from "../../components/remote/errors";
import type { SshTarget } from "../../components/remote/target";
import { closeLab, openLab, type Lab, type LabHost } from "../../lab";

const ENVIRONMENT = "remote";
let opened: Promise<Lab> | undefined;

/** Hosts a, b and c; up, thawed and whole, whatever an earlier test did to them. */
export async function openHosts(): Promise<Lab> {
    const isFirst = opened === undefined;
    opened ??= openLab({
        environment: ENVIRONMENT,
        hosts: ["a", "b", "c"].map((name, index) => ({ name, address: `10.86.1.1${index + 1}` })),
    });
    const lab = await opened;
    if (!isFirst) await Promise.all(lab.hosts.map((host) => host.restore()));
    return lab;
}

after(async () => {
    if (opened !== undefined) await closeLab(ENVIRONMENT);
});

/** Root's way to a host, with the environment's key; `changes` makes it another way. */
export function targetOf(lab: Lab, host: LabHost, changes: Partial<SshTarget> = {}): SshTarget {
    return {
        address: host.address,
        user: "root",
        privateKey: lab.privateKey,
        hostKeys: [host.publicHostKey],
        ...changes,
    };
}

/** Runs something with connections of its own, and closes them. */
export async function withPool<T>(use: (pool: ConnectionPool) => Promise<T>): Promise<T> {
    const pool = new ConnectionPool();
    try {
        return await use(pool);
    } finally {
        pool.closeAll();
    }
}

/** For `assert.rejects`: a failure of that kind whose sentence says all that. */
export function failure(kind: RemoteErrorKind, ...says: readonly (string | RegExp)[]): (error: unknown) => true {
    return (error) => {
        if (!isRemoteError(error, kind)) throw new Error(`expected ${kind}, found ${String(error)}`, { cause: error });
        for (const text of says) {
            const isSaid = typeof text === "string" ? error.message.includes(text) : text.test(error.message);
            if (!isSaid) throw new Error(`"${error.message}" does not say ${String(text)}`);
        }
        return true;
    };
}

/** For `assert.rejects`: an answer of etcd with that code. */
export function etcdFailure(code: EtcdErrorCode, ...says: readonly string[]): (error: unknown) => true {
    return (error) => {
        if (!isEtcdError(error, code)) throw new Error(`expected ${code}, found ${String(error)}`, { cause: error });
        return failure("etcd", ...says)(error);
    };
}
