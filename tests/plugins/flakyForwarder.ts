import { createConnection, createServer, type AddressInfo, type Socket } from "node:net";

/** A TCP forwarder on loopback that hangs up on its first callers. */
export interface FlakyForwarder {
    readonly port: number;
    readonly connections: () => number;
    readonly stop: () => Promise<void>;
}

export async function startFlakyForwarder(target: number, hangUps: number): Promise<FlakyForwarder> {
    let connections = 0;
    const open = new Set<Socket>();
    const keep = (socket: Socket): Socket => {
        open.add(socket);
        return socket.once("close", () => open.delete(socket)).on("error", () => socket.destroy());
    };
    const server = createServer((caller) => {
        if (++connections <= hangUps) return void caller.destroy();
        const callee = keep(createConnection(target, "127.0.0.1"));
        keep(caller).pipe(callee).pipe(caller);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
        port: (server.address() as AddressInfo).port,
        connections: () => connections,
        stop: () => {
            for (const socket of open) socket.destroy();
            return new Promise((resolve) => server.close(() => resolve()));
        },
    };
}
