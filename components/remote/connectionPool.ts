import { createHash } from "node:crypto";

import type { SshConnection } from "./ssh";
import type { SshTarget } from "./target";

export type { SshConnection } from "./ssh";

/** A failure that came sooner has kept nobody waiting. */
const QUICK_MS = 1000;

/** One live connection for each way to reach a host, shared by all who ask at the same time or later. */
export class ConnectionPool {
    readonly #connections = new Map<string, Promise<SshConnection>>();

    /**
     * @param options.remembersSilence a host that kept us waiting in vain is not asked again for as long as that was: of callers that
     * come in turn, only the first one waits @default false
     */
    constructor(private readonly options: { readonly remembersSilence?: boolean } = {}) {}

    /**
     * @returns the open connection to the target, or a new one if there is none or it is dead. Callers don't close it.
     * @throws RemoteError as `SshConnection.connect`
     */
    async connect(target: SshTarget): Promise<SshConnection> {
        const key = identity(target);
        const known = this.#connections.get(key);
        if (known === undefined) return this.#make(key, target);

        const connection = await known;
        if (connection.isAlive) return connection;
        if (this.#connections.get(key) === known) this.#connections.delete(key);
        return this.connect(target);
    }

    /** Closes all connections, also those that are still being made. */
    closeAll(): void {
        const all = [...this.#connections.values()];
        this.#connections.clear();
        for (const connection of all) {
            void connection.then(
                (open) => open.close(),
                () => {},
            );
        }
    }

    /** Callers that ask at the same time share a failure too; a later one tries again. */
    #make(key: string, target: SshTarget): Promise<SshConnection> {
        const beganMs = performance.now();
        const made = this.#open(target);
        this.#connections.set(key, made);
        made.catch(() => {
            const forget = (): void => {
                if (this.#connections.get(key) === made) this.#connections.delete(key);
            };
            const waitedMs = performance.now() - beganMs;
            if (this.options.remembersSilence && waitedMs > QUICK_MS) setTimeout(forget, waitedMs).unref();
            else forget();
        });
        return made;
    }

    async #open(target: SshTarget): Promise<SshConnection> {
        const bastion = target.bastion === undefined ? undefined : await this.connect(target.bastion);
        // What it needs takes longer to load than all else of ours together; most runs of some processes ask no host.
        const { SshConnection } = await import("./ssh");
        return SshConnection.connect(target, bastion);
    }
}

/** The process's connections. Whoever needs a host gets it from here, so that there is one connection to each. */
export const pool = new ConnectionPool({ remembersSilence: true });

/** What makes two targets the same connection: everything, credentials included, but in no readable form. */
function identity(target: SshTarget): string {
    const fields = Object.entries(target).sort(([a], [b]) => (a < b ? -1 : 1));
    const plain = fields.map(([name, value]) => [
        name,
        name === "bastion" ? identity(value as SshTarget) : (value as unknown),
    ]);
    return createHash("sha256").update(JSON.stringify(plain)).digest("hex");
}
