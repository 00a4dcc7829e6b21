import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fingerprint, hostKeyAlgorithms, parseHostKey, trustedHostKeys } from "../../components/remote/hostKeys";
import { failure } from "./hosts";

describe("A host key", () => {
    const directory = mkdtempSync(join(tmpdir(), "host-keys-"));
    after(() => rmSync(directory, { recursive: true }));

    function makeKey(type: string): { line: string; fingerprint: string } {
        const file = join(directory, type);
        execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "a comment", "-f", file]);
        const shown = execFileSync("ssh-keygen", ["-l", "-f", file], { encoding: "utf8" });
        return { line: readFileSync(`${file}.pub`, "utf8"), fingerprint: shown.split(" ")[1] ?? "" };
    }

    for (const type of ["ed25519", "ecdsa", "rsa"]) {
        it(`of type ${type} is read, and has the fingerprint that ssh-keygen prints`, () => {
            const made = makeKey(type);
            const key = parseHostKey(made.line);
            assert.ok(key);
            assert.equal(fingerprint(key.blob), made.fingerprint);
            assert.deepEqual(parseHostKey(`a.example,10.0.0.1 ${made.line}`), key, "a line of known_hosts");
        });
    }

    it("decides what is asked for first, since a host with several keys shows that one", () => {
        const key = { type: "ssh-rsa", blob: Buffer.alloc(0) };
        assert.deepEqual(hostKeyAlgorithms([key]).slice(0, 3), ["rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519"]);
        assert.equal(hostKeyAlgorithms([])[0], "ssh-ed25519");
    });

    it("that can't be read is refused by its text, and what is wanted is said", () => {
        for (const line of [
            "AAAA",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "@revoked a ssh-ed25519 AAAA",
            "ssh-dss AAAAB3NzaC1kc3M=",
        ]) {
            const target = { address: "10.0.0.1", user: "root", hostKeys: [line] };
            assert.throws(() => trustedHostKeys(target), failure("host-key-invalid", line, "ssh-ed25519 AAAA…"));
        }
    });
});
