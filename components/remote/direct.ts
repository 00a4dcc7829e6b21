import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

import { within } from "./deadline";
import { RemoteError } from "./errors";

/** A way to ports that a host can reach: an SSH connection to it, or none at all. */
export interface Way {
    /** The host as an operator knows it, for messages. */
    readonly host: string;
    /** @throws RemoteError */
    forward(port: number, address: string): Promise<Duplex>;
}

/** Less than a call to etcd takes at most, which would else end first, and know nothing of what is in its way. */
const TIMEOUT_SECONDS = 4;

/** For ports that are open to this machine. */
export function directWay(address: string): Way {
    return { host: address, forward: openDirectly };
}

/** @throws RemoteError port-closed, unreachable */
async function openDirectly(port: number, address: string): Promise<Socket> {
    const socket = connect({ host: address, port, noDelay: true }).unref();
    const connected = new Promise<Socket>((resolve, reject) => {
        socket.once("connect", () => resolve(socket)).once("error", reject);
    });
    try {
        return await within(TIMEOUT_SECONDS, connected, () => new Error(`no answer within ${TIMEOUT_SECONDS} s`));
    } catch (error) {
        socket.destroy();
        const { code, message } = error as NodeJS.ErrnoException;
        const isRefused = code === "ECONNREFUSED" || code === "ECONNRESET";
        throw new RemoteError(
            isRefused ? "port-closed" : "unreachable",
            address,
            `port ${port} can't be reached from this machine (${isRefused ? "refused" : message}); ` +
                `check that it is among a client's addresses, and the network in between, or use access "ssh"`,
            { cause: error },
        );
    }
}
