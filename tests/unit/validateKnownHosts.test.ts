import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import fc from "fast-check";

import { lookUpKnownHosts } from "../../components/knownHosts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yLqGHFkTqXZ1lNyEaFhYDVR5dGpFfT8pYQ4hbqBzu";
const OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILL11n1wfQ5dQ9OaAEXpR1qXgJ6EyCkC8l1LSVTpKDqj";

/** As `ssh-keygen -H` writes it. */
function hashed(name: string): string {
    const salt = randomBytes(20);
    return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}

describe("known_hosts", () => {
    const find = (text: string, name = "10.0.0.11", port = 22) => lookUpKnownHosts(text, [name], port);

    it("gives all keys of a host, without comments", () => {
        assert.deepEqual(find(`# mine\n\na,10.0.0.11 ${KEY} me@here\n10.0.0.11   ${OTHER}\n10.0.0.12 ${OTHER}\n`), [
            KEY,
            OTHER,
        ]);
    });

    it("knows names as ssh-keygen -H hashes them", () => {
        const directory = mkdtempSync(path.join(tmpdir(), "pulumi-etcd-known-hosts-"));
        try {
            const file = path.join(directory, "known_hosts");
            writeFileSync(file, `10.0.0.11 ${KEY}\n[10.0.0.11]:2222 ${OTHER}\nEtcd1.Example ${OTHER}\n`);
            execFileSync("ssh-keygen", ["-q", "-H", "-f", file], { stdio: "pipe" });
            const text = readFileSync(file, "utf8");
            assert.doesNotMatch(text, /10\.0\.0|example/i);
            assert.deepEqual(find(text), [KEY]);
            assert.deepEqual(find(text, "10.0.0.11", 2222), [OTHER]);
            assert.deepEqual(find(text, "10.0.0.12"), []);
            for (const name of ["Etcd1.Example", "etcd1.example"]) assert.deepEqual(find(text, name), [OTHER]);
        } finally {
            rmSync(directory, { recursive: true, force: true });
        }
    });

    it("tells hosts on other ports apart", () => {
        assert.deepEqual(find(`[10.0.0.11]:2222 ${KEY}\n10.0.0.11 ${OTHER}`, "10.0.0.11", 2222), [KEY]);
        assert.deepEqual(find(`${hashed("[10.0.0.11]:2222")} ${KEY}`, "10.0.0.11", 2222), [KEY]);
        assert.deepEqual(find(`${hashed("10.0.0.11")} ${KEY}`, "10.0.0.11", 2222), []);
    });

    it("knows wildcards and negations", () => {
        assert.deepEqual(find(`10.0.0.* ${KEY}`), [KEY]);
        assert.deepEqual(find(`10.0.0.*,!10.0.0.11 ${KEY}`), []);
        assert.deepEqual(find(`10x0x0x11 ${KEY}`), []);
    });

    it("never gives a revoked key, wherever it stands", () => {
        assert.deepEqual(find(`10.0.0.11 ${KEY}\n10.0.0.11 ${OTHER}\n@revoked * ${KEY}`), [OTHER]);
    });

    it("takes an authority's key for no host's", () => {
        assert.deepEqual(find(`@cert-authority * ${KEY}`), []);
    });

    it("finds nothing in any text that does not name the host", () => {
        fc.assert(
            fc.property(fc.string(), (text) =>
                assert.deepEqual(find(text.replaceAll("*", "").replaceAll("?", ""), "10.99.99.99"), []),
            ),
        );
    });
});
