import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import { hostPaths } from "../../../components/host/paths";
import { driftScript, hide, parseDrift, tellDrift } from "../../../components/provision/drift";

function parsed(answer: string): ReturnType<typeof parseDrift> {
    const lines = answer.trim().split("\n");
    return parseDrift((key) =>
        lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1)),
    );
}

describe("the question what became of a host's files", () => {
    it("is a POSIX shell script, with and without a firewall", () => {
        for (const firewall of [true, false]) {
            const input = driftScript(hostPaths("tools"), firewall);
            assert.equal(spawnSync("sh", ["-n"], { input, encoding: "utf8" }).stderr, "");
        }
    });
});

describe("what became of a host's files", () => {
    it("is told file by file, with the difference where one can be shown", () => {
        const seen = parsed(`
drift=mode /etc/etcd/x/pki/peer.key 600 etcd:etcd 644 root:root
drift=gone /etc/etcd/x/pki/server.crt
drift=content /etc/etcd/x/pki/peer.crt
drift=content /etc/etcd/x/etcd.env
difference=/etc/etcd/x/etcd.env @@ -3 +3 @@
difference=/etc/etcd/x/etcd.env -ETCD_SNAPSHOT_COUNT=5000
difference=/etc/etcd/x/etcd.env +ETCD_SNAPSHOT_COUNT=1
edited=yes
drift=firewall
drift=backup`);
        assert.equal(seen.isEdited, true);
        assert.deepEqual(tellDrift("b", seen), [
            `host "b": /etc/etcd/x/pki/peer.key has mode and owner 644 root:root, wanted is 600 etcd:etcd; up sets them`,
            `host "b": /etc/etcd/x/pki/server.crt is gone; up puts it back`,
            `host "b": /etc/etcd/x/pki/peer.crt was changed by hand (not shown); up puts it back`,
            `host "b": /etc/etcd/x/etcd.env was changed by hand; up puts it back:`,
            "    @@ -3 +3 @@",
            "    -ETCD_SNAPSHOT_COUNT=5000",
            "    +ETCD_SNAPSHOT_COUNT=1",
            `host "b": the firewall's table is not in force, or would not be after a reboot; up loads it`,
            `host "b": the timer of its backups does not run, or would not after a reboot; up starts it`,
        ]);
    });

    it("is nothing where all is as it was laid down", () => {
        assert.deepEqual(tellDrift("b", parsed("clock=1")), []);
    });

    it("is told without what looks like a secret", () => {
        const secrets = [
            "+ETCD_ROOT_PASSWORD=hunter2",
            "+MY_API_TOKEN = abc def",
            "+MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1234567890abcdefgh",
            "+Environment=AWS_SECRET_ACCESS_KEY=hunter2",
        ];
        for (const line of secrets) assert.doesNotMatch(hide(line), /hunter2|abc def|MIGHAgEA/);
        const plain = "+ETCD_PEER_KEY_FILE=/etc/etcd/x/pki/peer.key";
        assert.equal(hide(plain), plain);
    });
});
