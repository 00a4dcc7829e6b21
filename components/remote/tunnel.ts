import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

import type { Way } from "./direct";

/**
 * A port on this machine's loopback that leads to a port of a host, or behind it: through an SSH connection, or directly.
 * For clients that can't be given a stream. It keeps no process alive.
 */
export class Tunnel {
    readonly #sockets = new Set<Socket>();
    #lastError: Error | undefined;

    private constructor(
        private readonly server: Server,
        private readonly way: Way,
        private readonly address: string,
        private readonly remotePort: number,
    ) {
        server.on("connection", (socket) => void this.#lead(socket));
    }

    static async open(way: Way, address: string, remotePort: number): Promise<Tunnel> {
        const server = createServer({ noDelay: true, allowHalfOpen: true }).unref();
        await new Promise<void>((resolve, reject) => {
            server.once("error", reject).listen(0, "127.0.0.1", resolve);
        });
        return new Tunnel(server, way, address, remotePort);
    }

    /** The port on 127.0.0.1. */
    get port(): number {
        return (this.server.address() as AddressInfo).port;
    }

    /** Why the last attempt to get through failed; undefined if it did not. */
    get lastError(): Error | undefined {
        return this.#lastError;
    }

    close(): void {
        this.server.close();
        for (const socket of this.#sockets) socket.destroy();
    }

    async #lead(socket: Socket): Promise<void> {
        socket.unref();
        this.#sockets.add(socket);
        socket.once("close", () => this.#sockets.delete(socket));
        socket.on("error", () => socket.destroy());
        try {
            const channel = await this.way.forward(this.remotePort, this.address);
            this.#lastError = undefined;
            // Whoever asked for it may have gone meanwhile.
            if (socket.destroyed) return void channel.destroy();
            channel.on("error", () => socket.destroy());
            channel.once("close", () => socket.destroySoon());
            socket.once("close", () => channel.destroy());
            socket.pipe(channel).pipe(socket);
        } catch (error) {
            this.#lastError = error as Error;
            socket.resetAndDestroy();
        }
    }
}
