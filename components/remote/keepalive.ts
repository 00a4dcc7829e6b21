import type { Duplex } from "node:stream";
import type { Client } from "ssh2";

/** A cut network closes nothing by itself: the other side is asked for a sign of life that often. */
const INTERVAL_MS = 5000;
/** That many questions without an answer are the end. */
const MISSES = 3;

/**
 * Ends a connection whose other side answers no more. The timer keeps no process alive, unlike the one of ssh2.
 * @param stream what the connection runs over: anything that comes is a sign of life, since on a slow link an answer may have to
 * wait behind much else
 * @returns stops asking
 */
export function endWhenSilent(client: Client, stream: Duplex): () => void {
    let unanswered = 0;
    stream.on("data", () => (unanswered = 0));
    const timer = setInterval(() => {
        if (unanswered >= MISSES) return void client.destroy();
        unanswered += 1;
        try {
            // Any request that has to be answered will do. There is no such forwarding to take back, so "no" is the expected answer.
            client.unforwardIn("127.0.0.1", 1, () => {});
        } catch {
            client.destroy();
        }
    }, INTERVAL_MS);
    timer.unref();
    return () => clearInterval(timer);
}
