import assert from "node:assert/strict";

import { Observer } from "../../../components/membership/observe";
import type { Desired } from "../../../components/membership/types";
import type { ConnectionPool } from "../../../components/remote/connectionPool";

describe("a host on which the lock was not taken", () => {
    it("is not connected to again, and counts as out of reach", async () => {
        const asked: string[] = [];
        const pool = {
            connect: ({ address }: { address: string }) => {
                asked.push(address);
                return Promise.reject(new Error("away"));
            },
        } as unknown as ConnectionPool;
        const host = (key: string) => ({ key, name: key, ssh: { address: key, user: "root" } });
        const [a, b] = [host("a"), host("b")];
        const wanted = { cluster: "one", dataDir: "/srv/data", hosts: [a], retired: [b], timeouts: {} };
        const observer = new Observer(wanted as unknown as Desired, pool, undefined, "ssh");
        observer.leaveAlone(new Map([[b.ssh, "no lock there"]]));
        const { hosts } = await observer.observe();
        assert.deepEqual(asked, ["a"]);
        assert.deepEqual(hosts["b"]?.reach, { ok: false, reason: "no lock there" });
        await assert.rejects(observer.connection("b"), /no lock there/);
    });
});
