import { connect } from "node:net";

/** As the engine tells its plugins where it is. */
const ENGINE_ADDRESS = /^(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)$/;
const AGAIN_MS = 200;

let isWatching = false;

/**
 * Ends this process, a plugin of the engine, as soon as the engine is gone. The engine's own plugins do so by themselves; the one that
 * runs dynamic providers would outlive an engine that was killed: work on with nobody to tell, and keep the cluster locked.
 * In a process that is no plugin it does nothing.
 */
export function endWithEngine(): void {
    const port = process.argv.map((word) => ENGINE_ADDRESS.exec(word)?.[1]).find((found) => found !== undefined);
    if (port === undefined || isWatching) return;
    isWatching = true;
    // Writing to an engine that is gone fails; the SDK's host reports that by writing again, for ever.
    for (const stream of [process.stdout, process.stderr]) stream.on("error", () => process.exit(1));
    watch(Number(port));
}

/** An open connection is closed by the kernel the moment the engine dies. The engine may close an idle one; then it still answers. */
function watch(port: number): void {
    const socket = connect(port, "127.0.0.1");
    socket.unref().resume();
    socket.on("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ECONNREFUSED") process.exit(1);
    });
    socket.on("close", () => setTimeout(() => watch(port), AGAIN_MS).unref());
}
