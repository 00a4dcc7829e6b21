/** A place on the way between a run and its hosts where answers can be kept. */
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/**
 * A TCP port of this machine that leads to a host's SSH port: a stack that has it as its bastion goes through it to all of its hosts. What
 * the run sends passes at once. What comes back can be made late, or kept: then a step has its effect on the hosts, and nobody who asked
 * for it hears so.
 */
export class Gate {
    private readonly pairs = new Set<Pair>();
    private answers: "pass" | "late" | "keep" = "pass";

    private constructor(
        private readonly server: Server,
        private readonly lateMs: number,
    ) {}

    static async open(address: string, port: number, lateMs: number): Promise<Gate> {
        const server = createServer({ noDelay: true });
        const gate = new Gate(server, lateMs);
        server.on("connection", (near) => gate.join(near, connect({ host: address, port, noDelay: true })));
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        return gate;
    }

    get port(): number {
        return (this.server.address() as AddressInfo).port;
    }

    pass(): void {
        this.answers = "pass";
        this.release();
    }

    /** Each answer comes later by the gate's time. */
    delay(): void {
        this.answers = "late";
        this.release();
    }

    /** No answer passes any more, also none that is under way. */
    keep(): void {
        this.answers = "keep";
        for (const pair of this.pairs) pair.stopTimers();
    }

    /** Breaks all connections there are. */
    cut(): void {
        for (const pair of this.pairs) pair.close();
    }

    close(): void {
        this.cut();
        this.server.close();
    }

    private release(): void {
        for (const pair of this.pairs) pair.release(this.lateness());
    }

    private join(near: Socket, far: Socket): void {
        const pair = new Pair(near, far);
        this.pairs.add(pair);
        near.on("data", (chunk) => far.write(chunk));
        far.on("data", (chunk: Buffer) => {
            pair.push(chunk);
            if (this.answers !== "keep") pair.release(this.lateness());
        });
        const end = (): void => {
            this.pairs.delete(pair);
            pair.close();
        };
        for (const socket of [near, far]) socket.on("close", end).on("error", end);
    }

    private lateness(): number {
        return this.answers === "late" ? this.lateMs : 0;
    }
}

/** One connection. Its answers keep their order. */
class Pair {
    private readonly waiting: Buffer[] = [];
    private readonly timers = new Set<NodeJS.Timeout>();

    constructor(
        private readonly near: Socket,
        private readonly far: Socket,
    ) {}

    push(chunk: Buffer): void {
        this.waiting.push(chunk);
    }

    /** Lets one answer after the other go, each so much later than now. */
    release(afterMs: number): void {
        const due = this.waiting.length - this.timers.size;
        for (let index = 0; index < due; index += 1) {
            const timer = setTimeout(() => {
                this.timers.delete(timer);
                const chunk = this.waiting.shift();
                if (chunk) this.near.write(chunk);
            }, afterMs);
            this.timers.add(timer);
        }
    }

    stopTimers(): void {
        for (const timer of this.timers) clearTimeout(timer);
        this.timers.clear();
    }

    close(): void {
        this.stopTimers();
        this.near.destroy();
        this.far.destroy();
    }
}
