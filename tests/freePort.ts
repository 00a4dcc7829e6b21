import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * A TCP port of 127.0.0.1 that nobody has, for a server that is started later. It lies below Linux' ephemeral ports
 * (32768 to 60999 by default), so that no outgoing connection takes it in between.
 */
export async function freePort(): Promise<number> {
    for (;;) {
        const port = randomInt(20_000, 32_000);
        const server = createServer();
        try {
            await once(server.listen(port, "127.0.0.1"), "listening");
        } catch (error) {
            if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") continue;
            throw error;
        }
        server.close();
        await once(server, "close");
        return port;
    }
}
