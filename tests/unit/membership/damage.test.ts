import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

import { DAMAGE } from "../../../components/membership/lookScripts";

/** A line as etcd's logger writes it, found as the look at a host finds it. */
function isDamage(line: string): boolean {
    return spawnSync("grep", ["-qE", DAMAGE], { input: `${line}\n` }).status === 0;
}

const failed = (msg: string, error: string): string => JSON.stringify({ level: "fatal", msg, error });

describe("what etcd says when it does not start", () => {
    for (const line of [
        failed(
            "bootstrap failed",
            "walpb: crc mismatch: in file '0000000000000000-0000000000000000.wal' at position: 3592",
        ),
        failed("discovery failed", "wal: crc mismatch"),
        failed("bootstrap failed", "proto: Record: wiretype end group for non-group"),
        failed("discovery failed", "proto: Record: illegal tag 0 (wire type 0)"),
        // Go's protobuf, which etcd has since 3.7, has a no-break space there in some builds.
        failed("bootstrap failed", "proto:\u00a0cannot parse invalid wire-format data"),
        failed("discovery failed", "wal: max entry size limit exceeded"),
        failed("failed to read WAL, cannot be repaired", "wal: slice bounds out of range"),
        failed("failed to read WAL, cannot be repaired", "unexpected block type 9"),
        "panic: unmarshal protobuf message failed (proto: illegal wireType 7)",
        '{"level":"panic","msg":"tocommit(107) is out of range [lastIndex(84)]. Was the raft log corrupted, truncated, or lost?"}',
        '{"level":"panic","msg":"8e9e05c52164694d state.commit 12 is out of range [5, 9]"}',
    ])
        it(`is of a damaged log: ${line}`, () => assert.ok(isDamage(line)));

    for (const line of [
        failed("failed to open WAL", "open /var/lib/etcd/x/member/wal: permission denied"),
        failed("failed to repair WAL", "unexpected EOF"),
        failed("discovery failed", "cannot fetch cluster info from peer urls: could not retrieve cluster information"),
        failed("discovery failed", "member 8e9e05c52164694d has already been bootstrapped"),
        failed("failed to create WAL", "no space left on device"),
        "panic: runtime error: index out of range [3] with length 3",
        '{"level":"warn","msg":"failed to decode a message","error":"proto: illegal wireType 7"}',
    ])
        it(`is of something else: ${line}`, () => assert.ok(!isDamage(line)));
});
