import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
    chmodSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readdirSync,
    readFileSync,
    rmSync,
    writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { hostPaths, type HostPaths } from "../../../components/host/paths";
import { hasLog } from "../../../components/host/writeAheadLog";
import { putRestored, restoreSnapshot } from "../../../components/membership/restoreScripts";
import { activate, setRemainsAside, snapshot, start, writePeers } from "../../../components/membership/scripts";

describe("a script on a host", () => {
    let place: string;
    let paths: HostPaths;

    beforeEach(() => {
        place = mkdtempSync(join(tmpdir(), "scripts-"));
        const dataDir = join(place, "data");
        paths = { ...hostPaths("x", dataDir), peers: join(place, "peers.nft"), firewall: join(place, "firewall.nft") };
        paths = {
            ...paths,
            mayStartEmpty: join(place, "empty"),
            identity: join(place, "id"),
            membershipEnv: join(place, "env"),
        };
        mkdirSync(join(dataDir, "member/wal"), { recursive: true });
        writeFileSync(paths.firewall, `include "${paths.peers}"\n`);
    });

    afterEach(() => rmSync(place, { recursive: true }));

    function program(name: string, text: string): void {
        writeFileSync(join(place, name), `#!/bin/sh\n${text}\n`);
        chmodSync(join(place, name), 0o755);
    }

    /** Those programs that only root may run do nothing, or what the test says. */
    function run(script: string): number | null {
        program("chown", ":");
        return spawnSync("sh", { input: script, env: ours() }).status;
    }

    function ours(): NodeJS.ProcessEnv {
        return { ...process.env, PATH: `${place}:${process.env["PATH"]}` };
    }

    it("takes a directory without a log's file for no log", () => {
        const condition = hasLog(paths.dataDir);
        assert.equal(run(condition), 1);
        writeFileSync(join(paths.dataDir, "member/wal/0.tmp"), "");
        assert.equal(run(condition), 1);
        for (const name of ["0.wal", "1.wal"]) writeFileSync(join(paths.dataDir, "member/wal", name), "");
        assert.equal(run(condition), 0);
    });

    it("starts a member where nothing says who its peers are: the unit needs the file, and etcd, with data, not what it says", () => {
        for (const name of ["systemctl", "install"]) program(name, ":");
        assert.equal(run(start(paths, "inactive")), 0);
        assert.equal(readFileSync(paths.membershipEnv, "utf8"), "");
        writeFileSync(paths.membershipEnv, "ETCD_INITIAL_CLUSTER=a");
        assert.equal(run(start(paths, "inactive")), 0);
        assert.equal(readFileSync(paths.membershipEnv, "utf8"), "ETCD_INITIAL_CLUSTER=a");
    });

    it("puts no generation in place whose etcd is gone, which what runs would be restarted with", () => {
        Object.assign(paths, {
            generations: join(place, "generations"),
            current: join(place, "current"),
            unitFile: join(place, "unit"),
        });
        mkdirSync(join(paths.generations, "g"), { recursive: true });
        writeFileSync(join(paths.generations, "g/etcd.service"), `[Service]\nExecStart=${place}/etcd\n`);
        program("systemctl", ":");
        const script = `set -eu\n${activate(paths, "g")}`;
        assert.equal(run(script), 1);
        assert.ok(!existsSync(paths.unitFile) && !existsSync(paths.current));
        program("etcd", ":");
        assert.equal(run(script), 0);
        assert.ok(existsSync(paths.unitFile) && existsSync(join(paths.current, "etcd.service")));
    });

    it("moves what is left of data without a log aside before a first start, and nothing later", () => {
        writeFileSync(paths.mayStartEmpty, "");
        assert.equal(run(setRemainsAside(paths)), 0);
        assert.ok(existsSync(paths.dataDir));
        rmSync(paths.mayStartEmpty);
        assert.equal(run(setRemainsAside(paths)), 0);
        assert.equal(existsSync(paths.dataDir), false);
        assert.ok(readdirSync(place).some((name) => /^data\.2/.test(name)));
    });

    it("restores nothing that a later series of etcd wrote, and says which, as far as etcd's tool knows", () => {
        paths = { ...paths, restored: `${paths.dataDir}.restored` };
        program("mountpoint", "exit 1");
        const database = join(place, "snapshot.db");
        writeFileSync(database, "x".repeat(64));
        const tried = (version: string, written: string): string => {
            const json = `{"hash":1,"totalSize":20480${written && `,"version":"${written}"`}}`;
            const tool = join(place, "etcdutl");
            writeFileSync(
                tool,
                `#!/bin/sh\n[ "$2" = status ] && echo '${json}' && exit\necho "Error: tried" >&2; exit 1\n`,
            );
            chmodSync(tool, 0o755);
            const member = {
                snapshot: database,
                name: "a",
                peerUrl: "https://10.0.0.1:2380",
                clusterToken: "x",
                note: "n",
            };
            const script = restoreSnapshot(paths, { ...member, version, releaseDir: place });
            return spawnSync("sh", { input: `set -eu\n${script}`, encoding: "utf8", env: ours() }).stderr;
        };
        assert.match(
            tried("3.6.16", "3.7.0"),
            /snapshot\.db was written by etcd 3\.7, with whose data etcd 3\.6\.16 does not start; nothing was stopped/,
        );
        assert.match(tried("3.6.16", "3.6.0"), /Error: tried/);
        assert.match(tried("3.7.3", "3.6.0"), /Error: tried/);
        assert.match(tried("3.6.16", ""), /Error: tried/);
    });

    it("puts what was restored where an emptied directory is, and never over data", () => {
        const member = join(paths.dataDir, "member");
        paths = { ...paths, restored: `${paths.dataDir}.restored` };
        program("mountpoint", "exit 1");
        const restore = (what: string): string => {
            mkdirSync(join(paths.restored, "member"), { recursive: true });
            writeFileSync(join(paths.restored, "member", what), "");
            assert.equal(run(`set -eu\n${putRestored(paths)}`), 0);
            assert.equal(existsSync(paths.restored), false);
            return readdirSync(member).join();
        };
        rmSync(join(member, "wal"), { recursive: true });
        assert.equal(restore("first"), "first");
        assert.equal(restore("second"), "first");
    });

    it("notes whom the firewall lets in only when that is in force", () => {
        writeFileSync(paths.peers, "old");
        program("nft", "exit 1");
        assert.notEqual(run(writePeers(paths, ["10.0.0.1"])), 0);
        assert.equal(readFileSync(paths.peers, "utf8"), "old");
        program("nft", `kill -KILL $PPID`);
        run(writePeers(paths, ["10.0.0.1"]));
        assert.equal(readFileSync(paths.peers, "utf8"), "old");
        program("nft", `cat >${place}/loaded`);
        assert.equal(run(writePeers(paths, ["10.0.0.1"])), 0);
        assert.match(readFileSync(paths.peers, "utf8"), /10\.0\.0\.1/);
        assert.equal(readFileSync(join(place, "loaded"), "utf8"), `include "${paths.peers}.new"\n`);
        rmSync(paths.firewall);
        assert.notEqual(run(writePeers(paths, ["10.0.0.2"])), 0);
    });

    it("leaves no part of a snapshot when it is ended, nor what one left that was killed", async () => {
        const directory = `${paths.dataDir}.snapshots`;
        mkdirSync(directory);
        for (const name of ["1.db", "2.db.part", "2.db.part.part"]) writeFileSync(join(directory, name), "");
        program("etcdctl", `for file; do :; done; echo half >"$file.part"; echo started; sleep 1; exit 1`);
        const script = snapshot(paths, place, "https://10.0.0.1:2379").replace(">/dev/null || return", ">&2 || return");
        const child = spawn("sh", ["-c", script], { stdio: ["ignore", "ignore", "pipe"] });
        await once(child.stderr, "data");
        assert.equal(readdirSync(directory).length, 2);
        child.kill("SIGTERM");
        const [code] = (await once(child, "exit")) as [number | null];
        assert.equal(code, 129);
        assert.deepEqual(readdirSync(directory), ["1.db"]);
    });
});
