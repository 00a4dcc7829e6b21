import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { releaseArchive } from "../../lab/release";
import { diagnoseFailures } from "./diagnose";
import { etcdctl, openBed, startTimes, voters, type Bed } from "./fixture";
import { Project } from "./project";

/** Clusters side by side on the same hosts, each with ports of its own. */
const ports = {
    /** Debian's package. */
    debian: 2379,
    "v3-5": 3379,
    "v3-7": 4379,
} as const;
type Name = keyof typeof ports;
const names = Object.keys(ports) as readonly Name[];

describe("clusters of every supported version, side by side on the same hosts", () => {
    let bed: Bed;
    let project: Project;
    let changes: Readonly<Record<Name, Partial<EtcdClusterArgs>>>;

    before(async () => {
        bed = await openBed("it-versions", "10.83.2", 3);
        project = await Project.open();
        changes = {
            debian: { version: "3.4.23", install: { source: "debian" } },
            "v3-5": await fromArchive("3.5"),
            "v3-7": await fromArchive("3.7"),
        };
    });
    after(async () => {
        project.close();
        await bed.lab.down();
    });
    diagnoseFailures(() => bed?.lab);

    async function fromArchive(minor: string): Promise<Partial<EtcdClusterArgs>> {
        const { version, path, sha256 } = await releaseArchive(minor);
        return { version, install: { source: "file", path, sha256 } };
    }

    function declared(hosts: number): Record<string, EtcdClusterArgs> {
        return Object.fromEntries(
            names.map((name) => {
                const clientPort = ports[name];
                return [name, bed.declare(hosts, { ...changes[name], clientPort, peerPort: clientPort + 1 })];
            }),
        );
    }

    const ask = (name: Name, host: string, command: string) => etcdctl(bed.lab.host(host), name, command, ports[name]);

    it("are bootstrapped with one member each", async () => {
        const run = await project.mustUp(declared(1));
        assert.match(run.text, /warning: .*etcd 3\.4\.23 is at its end of life/);
        for (const name of names) {
            assert.deepEqual(await voters(bed.lab.host("a"), name, ports[name]), ["a"]);
            await ask(name, "a", `put greeting "hello from ${name}"`);
        }
    });

    it("run the declared versions", async () => {
        for (const name of names) {
            const status = JSON.parse(await ask(name, "a", "endpoint status --write-out json")) as [
                { Status: { version: string } },
            ];
            assert.equal(status[0].Status.version, changes[name].version);
        }
    });

    it("grow to three members each, which all have the data", async () => {
        await project.mustUp(declared(3));
        for (const name of names) {
            for (const host of ["a", "b", "c"]) {
                assert.deepEqual(await voters(bed.lab.host(host), name, ports[name]), ["a", "b", "c"]);
                assert.match(await ask(name, host, "get greeting"), new RegExp(`hello from ${name}`));
            }
        }
    });

    it("are left alone by a second up", async () => {
        const times = () => Promise.all(names.map((name) => startTimes(bed.lab, ["a", "b", "c"], name)));
        const before = await times();
        const run = await project.mustUp(declared(3));
        assert.doesNotMatch(run.text, /\b(updated|created|replaced|deleted)\b/);
        assert.deepEqual(await times(), before);
    });

    it("don't bring up the member of its own that Debian's package has", async () => {
        for (const host of ["a", "b", "c"]) {
            const state = await bed.lab
                .host(host)
                .output(
                    "dpkg-query --show --showformat '${Status}\\n' etcd-server; systemctl is-active etcd.service; systemctl is-enabled etcd.service; ls /var/lib/etcd; true",
                );
            assert.match(state, /^install ok installed\ninactive\n(masked|disabled)\n/);
            assert.doesNotMatch(state, /^default$/m);
        }
    });

    it("are taken away without a trace of their own, and Debian's package stays", async () => {
        const gone = await project.destroy();
        assert.equal(gone.code, 0, gone.text);
        for (const host of ["a", "b", "c"]) {
            const left = await bed.lab
                .host(host)
                .output(
                    "ls -d /etc/etcd /opt/etcd /etc/systemd/system/etcd-* 2>/dev/null; pgrep -x etcd; nft list ruleset; /usr/bin/etcd --version | head -n 1",
                );
            assert.equal(left, "etcd Version: 3.4.23\n");
        }
    });
});
