import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { bundle, NOBODY, together, unlessNobody, withInherited } from "../../../components/adoption/authorities";
import {
    foreignScript,
    interruptedScript,
    leavesOf,
    parseForeign,
    takeoverNote,
    type ForeignEtcd,
} from "../../../components/adoption/foreign";
import { hostPaths } from "../../../components/host/paths";
import { wholeAnswer } from "../../../components/remote/wholeAnswer";

const pem = (text: string): string => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

describe("what a host says of an etcd that was set up by hand", () => {
    it("is nothing where there is none", () => {
        assert.equal(parseForeign("foreign.unit=\nclock=1\n"), undefined);
    });

    it("names the files of its certificates whole, wherever it runs", () => {
        const found = parseForeign(
            [
                "foreign.pid=812",
                "foreign.unit=etcd.service",
                "foreign.cwd=/etc/etcd",
                "foreign.env:ETCD_TRUSTED_CA_FILE=pki/ca.crt",
                "foreign.arg:--cert-file=./server.crt",
                "foreign.arg:--key-file=/etc/pki/server.key",
            ].join("\n"),
        );
        assert.equal(found?.options.get("trusted-ca-file"), "/etc/etcd/pki/ca.crt");
        assert.equal(leavesOf(found)["server.crt"], "/etc/etcd/server.crt");
        assert.equal(leavesOf(found)["server.key"], "/etc/pki/server.key");
    });

    it("is read from its variables, and from its flags before them", () => {
        const found = parseForeign(
            [
                "foreign.pid=812",
                "foreign.unit=etcd.service",
                "foreign.cwd=/var/lib/etcd",
                "foreign.env:ETCD_NAME=from-the-variable",
                "foreign.env:ETCD_QUOTA_BACKEND_BYTES=8589934592",
                "foreign.env:ETCD_INITIAL_CLUSTER=a=https://10.0.0.1:2380",
                "foreign.arg:--name=a",
                "foreign.arg:--cert-file",
                "foreign.arg:/etc/pki/server.crt",
                "foreign.arg:--client-cert-auth",
                "foreign.arg:-key-file=/etc/pki/server.key",
                "foreign.data=default.etcd",
                "foreign.disk=same",
                "foreign.client=[::ffff:10.0.0.9]:51000",
                "foreign.client=127.0.0.1:40000",
                "foreign.client=10.0.0.8:40001",
            ].join("\n"),
        );
        assert.ok(found);
        assert.equal(found.unit, "etcd.service");
        assert.equal(found.options.get("name"), "a");
        assert.equal(found.options.get("quota-backend-bytes"), "8589934592");
        assert.equal(found.options.get("initial-cluster"), "a=https://10.0.0.1:2380");
        assert.equal(found.options.get("client-cert-auth"), "true");
        assert.equal(found.dataDir, "/var/lib/etcd/default.etcd");
        assert.equal(found.isOnSameDisk, true);
        assert.deepEqual(found.clients, ["10.0.0.9", "10.0.0.8"]);
        assert.deepEqual(leavesOf(found), {
            "server.crt": "/etc/pki/server.crt",
            "server.key": "/etc/pki/server.key",
            "peer.crt": "",
            "peer.key": "",
        });
    });

    it("is what a take-over noted that died after it had stopped it", () => {
        const found = parseForeign(
            "foreign.note:unit=etcd.service\nforeign.note:data=/srv/etcd\nforeign.note:owner=root:root\n",
        );
        assert.deepEqual(
            { unit: found?.unit, dataDir: found?.dataDir, isRunning: found?.isRunning },
            { unit: "etcd.service", dataDir: "/srv/etcd", isRunning: false },
        );
    });
});

describe("a look for an etcd that was set up by hand", () => {
    const paths = hostPaths("tools", "/var/lib/etcd/tools");
    const inactive = "echo inactive; exit 3";
    let programs: string;

    before(() => {
        programs = mkdtempSync(join(tmpdir(), "foreign-"));
    });

    after(() => rmSync(programs, { recursive: true }));

    /** Runs it here, where these programs are what is given. */
    async function look(ss: string, systemctl = inactive): Promise<ForeignEtcd | undefined> {
        for (const [name, text] of Object.entries({ ss, systemctl })) {
            writeFileSync(join(programs, name), `#!/bin/sh\n${text}\n`);
            chmodSync(join(programs, name), 0o755);
        }
        const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` };
        const run = (script: string): Promise<{ code: number; stdout: string; stderr: string }> => {
            const { status, stdout, stderr } = spawnSync("sh", { input: script, env, encoding: "utf8" });
            return Promise.resolve({ code: status ?? 137, stdout, stderr });
        };
        const ports = { peerPort: 2380, clientPort: 2379 };
        return parseForeign(await wholeAnswer({ run }, foreignScript(paths, ports), 10));
    }

    /** Says that a process listens on the peer port. */
    const listening = (pid: number | undefined): string =>
        `case "$*" in *2380) echo 'LISTEN 0 4096 *:2380 *:* users:(("etcd",pid=${pid},fd=3))' ;; *) `;

    it("finds it by who listens on the peer port, with who is connected to its client port", async () => {
        const etcd = spawn("sleep", ["60"], { env: { ETCD_DATA_DIR: "/srv/etcd" } });
        try {
            const clients = `${listening(etcd.pid)} echo '0 0 10.0.0.1:2379 10.0.0.9:51000' ;; esac`;
            const found = await look(clients);
            assert.deepEqual([found?.isRunning, found?.dataDir, found?.clients], [true, "/srv/etcd", ["10.0.0.9"]]);
            await assert.rejects(
                look(`${listening(etcd.pid)} echo 'Out of memory' >&2; exit 1 ;; esac`),
                /ss is to tell who has port 2379 .*and fails \(Out of memory\): install the package iproute2, or repair it$/,
            );
        } finally {
            etcd.kill();
        }
    });

    it("finds what is mounted in its data directory, and not what is beside it", async () => {
        const mountsOf = async (dataDir: string): Promise<readonly string[]> => {
            const etcd = spawn("sleep", ["60"], { env: { ETCD_DATA_DIR: dataDir } });
            try {
                return (await look(`${listening(etcd.pid)} ;; esac`))!.mounts;
            } finally {
                etcd.kill();
            }
        };
        assert.ok((await mountsOf("/dev")).includes("/dev/pts"));
        assert.deepEqual(await mountsOf("/dev/pt"), []);
        assert.deepEqual(await mountsOf("/dev/pts"), []);
    });

    it("finds none where nobody listens, nor one that has ended since", async () => {
        assert.equal(await look(":"), undefined);
        const { pid } = spawnSync("true");
        assert.equal(await look(`${listening(pid)} : ;; esac`), undefined);
    });

    it("fails, and says what to do, where ss does not say who listens: that is not nobody", async () => {
        const why = (reason: string): RegExp =>
            new RegExp(
                `: ss is to tell who has port 2380 .*\\(${reason}\\): install the package iproute2, or repair it$`,
            );
        await assert.rejects(
            look("echo 'Cannot open netlink socket' >&2; exit 255"),
            why("Cannot open netlink socket"),
        );
        await assert.rejects(look("exit 2"), why("exit code 2"));
        await assert.rejects(look("exec /nonexistent/ss"), why(".*/nonexistent/ss: not found"));
    });

    it("fails where systemd does not say whether ours runs", async () => {
        const failing = look(":", "echo 'Failed to retrieve unit state: timed out' >&2; exit 1");
        await assert.rejects(
            failing,
            /systemd does not say whether etcd-tools.service runs: see systemctl status etcd-tools$/,
        );
    });
});

describe("a look that is for no take-over", () => {
    /** Where a take-over of an etcd with data here was begun, or not. */
    function look(isNoted: boolean, hasData: boolean, unit: string): string {
        const root = mkdtempSync(join(tmpdir(), "interrupted-"));
        try {
            const paths = { ...hostPaths("tools", join(root, "ours")), root };
            if (hasData) {
                mkdirSync(join(root, "theirs/member/wal"), { recursive: true });
                writeFileSync(join(root, "theirs/member/wal/0.wal"), "");
            }
            if (isNoted) writeFileSync(takeoverNote(paths), `unit=etcd.service\ndata=${join(root, "theirs")}\n`);
            writeFileSync(join(root, "systemctl"), `#!/bin/sh\n${unit}\n`, { mode: 0o755 });
            const env = { ...process.env, PATH: `${root}:${process.env.PATH}` };
            return spawnSync("sh", { input: interruptedScript(paths), env, encoding: "utf8" }).stdout;
        } finally {
            rmSync(root, { recursive: true });
        }
    }

    it("finds one that was cut off when theirs was stopped and ours not started, and none that was not", () => {
        assert.equal(look(true, true, "exit 3"), "takeover=interrupted\n");
        assert.equal(look(true, true, "exit 0"), "");
        assert.equal(look(true, false, "exit 3"), "");
        assert.equal(look(false, true, "exit 3"), "");
    });
});

describe("authorities that are inherited", () => {
    it("are trusted besides the stack's own, each once", () => {
        const own = { clientCa: pem("new"), peerCa: pem("new peer") };
        const inherited = together([
            { clientCa: pem("old"), peerCa: pem("old peer") },
            { clientCa: `${pem("old")}${pem("new")}`, peerCa: pem("old peer") },
        ]);
        assert.deepEqual(withInherited(own, inherited), {
            clientCa: pem("new") + pem("old"),
            peerCa: pem("new peer") + pem("old peer"),
        });
        assert.equal(withInherited(own, undefined), own);
    });

    it("are nobody's where nothing is taken over, and those of a cluster without TLS where it is", () => {
        assert.equal(unlessNobody(NOBODY), undefined);
        assert.deepEqual(unlessNobody({ ...NOBODY, isPlain: true }), { clientCa: "", peerCa: "", isPlain: true });
    });

    it("are none where no certificate is found", () => {
        assert.equal(together([{ clientCa: "", peerCa: "no certificate" }]), undefined);
        assert.equal(bundle("# a comment\n"), "");
    });
});
