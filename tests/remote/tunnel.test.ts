import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { PassThrough } from "node:stream";

import type { Way } from "../../components/remote/direct";
import { Tunnel } from "../../components/remote/tunnel";

describe("a tunnel", () => {
    it("leaves no channel open for a client that went while it was being made", async () => {
        const channel = new PassThrough();
        let open = (): void => {};
        let asked = (): void => {};
        const isAsked = new Promise<void>((resolve) => (asked = resolve));
        const forward = (): Promise<PassThrough> => {
            asked();
            return new Promise((resolve) => (open = () => resolve(channel)));
        };
        const tunnel = await Tunnel.open({ forward } as unknown as Way, "10.0.0.11", 2379);
        try {
            const client = connect(tunnel.port, "127.0.0.1");
            await isAsked;
            client.resetAndDestroy();
            await once(client, "close");
            // Its end is heard of at the other end of the socket, too.
            await new Promise((resolve) => setTimeout(resolve, 100));
            const closed = once(channel, "close");
            open();
            await closed;
            assert.ok(channel.destroyed);
        } finally {
            tunnel.close();
        }
    });
});
