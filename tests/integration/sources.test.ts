import assert from "node:assert/strict";
import { copyFileSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import type { EtcdClusterArgs, InstallSource } from "../../components";
import { diagnoseFailures } from "./diagnose";
import { foretoldBy, refusalOf } from "./diagnostics";
import { openBed, voters, type Bed } from "./fixture";
import { Project } from "./project";

const cluster = "source";
const network = "10.83.1";

describe("etcd's binaries", () => {
    let bed: Bed;
    let project: Project;
    let archive: { path: string; sha256: string };

    before(async () => {
        bed = await openBed("it-install", network, 3);
        project = await Project.open();
        const { install } = bed.declare(1);
        if (install.source !== "file") throw new Error("the bed installs from a file");
        archive = install;
    });
    after(async () => {
        project.close();
        await bed.lab.down();
    });
    afterEach(() => project.destroy());
    diagnoseFailures(() => bed?.lab);

    const host = (name: string) => bed.lab.host(name);
    /** Nothing of etcd is left where this package puts things. */
    async function assertBare(name: string): Promise<void> {
        assert.equal(await host(name).output("ls -d /opt/* /etc/etcd /etc/systemd/system/etcd* 2>/dev/null; true"), "");
    }

    describe("from a URL", () => {
        let server: Server;
        let requests: (string | undefined)[];
        let peeks: number;
        /** How many bytes of an answer are sent before the connection breaks. */
        let breaksAfter: number;

        before(async () => {
            const content = readFileSync(archive.path);
            server = createServer((request, response) => {
                const { range } = request.headers;
                // How it begins is asked for by each look at a host that needs it.
                const isPeek = range === "bytes=0-4095";
                if (isPeek) peeks += 1;
                else requests.push(range);
                const from = Number(/bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
                response.writeHead(from > 0 ? 206 : 200, {
                    "content-length": content.length - from,
                    ...(from > 0 && { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` }),
                });
                if (from + breaksAfter >= content.length) response.end(content.subarray(from));
                else response.write(content.subarray(from, from + breaksAfter), () => response.destroy());
            });
            // This machine's own address in the lab's network.
            await new Promise<void>((resolve) => server.listen(0, `${network}.1`, resolve));
        });
        after(() => new Promise((resolve) => server.close(resolve)));
        beforeEach(() => {
            requests = [];
            peeks = 0;
            breaksAfter = Infinity;
        });

        const fromUrl = (sha256 = archive.sha256): InstallSource => {
            const { address, port } = server.address() as AddressInfo;
            return { source: "url", url: `http://${address}:${port}/etcd.tar.gz`, sha256 };
        };
        const declared = (hosts: number, install = fromUrl()): Record<string, EtcdClusterArgs> => ({
            [cluster]: bed.declare(hosts, { install }),
        });

        it("are fetched by each host, once", async () => {
            await project.mustUp(declared(3));
            assert.equal(requests.length, 3);
            assert.deepEqual(await voters(host("a"), cluster), ["a", "b", "c"]);
            peeks = 0;
            await project.mustUp(declared(3));
            assert.deepEqual([requests.length, peeks], [3, 0]);
        });

        it("are known as another version, or as out of reach, before anything is fetched or changed", async () => {
            const wrong = declared(3);
            const other = { [cluster]: { ...wrong[cluster]!, version: "3.6.15" } };
            for (const said of [
                refusalOf(await project.up(other)),
                foretoldBy(await project.preview(other), cluster),
            ]) {
                assert.match(
                    said[0]!,
                    /^host "a" \(\S+\): http:\S+ holds etcd 3\.\d\.\d+, wanted is 3\.6\.15: give the/,
                );
            }
            const { url, sha256 } = fromUrl() as { url: string; sha256: string };
            const nowhere = declared(3, { source: "url", url: url.replace(/:\d+/, ":9"), sha256 });
            for (const said of [
                refusalOf(await project.up(nowhere)),
                foretoldBy(await project.preview(nowhere), cluster),
            ]) {
                assert.match(
                    said[2]!,
                    /^host "c" \(\S+\): http:\S+ can't be fetched from it: curl: \(7\).*correct install\.url/,
                );
            }
            assert.deepEqual(requests, []);
            for (const name of ["a", "b", "c"]) await assertBare(name);
        });

        it("are refused when they are others than the declared ones, and nothing of them is left", async () => {
            const wrong = "0".repeat(64);
            const run = await project.up(declared(3, fromUrl(wrong)));
            const said = refusalOf(run);
            assert.deepEqual([said[0], said.length], ["1 error occurred:", 2]);
            assert.match(
                said[1]!,
                new RegExp(
                    `^\\* host "a": etcd \\S+ was not installed: http://\\S+ has the sha256 ${archive.sha256}, wanted is ${wrong}`,
                ),
            );
            assert.equal(requests.length, 1, "another host was asked, too");
            for (const name of ["a", "b", "c"]) await assertBare(name);
        });

        it("are fetched from where an interrupted download ended", async () => {
            breaksAfter = 100_000;
            const run = await project.up(declared(1));
            assert.match(refusalOf(run)[1]!, /^\* host "a": .*etcd\.tar\.gz can't be fetched from this host: curl: /);
            breaksAfter = Infinity;
            await project.mustUp(declared(1));
            assert.match(requests.at(-1) ?? "", /^bytes=[1-9]\d*-$/);
            assert.deepEqual(await voters(host("a"), cluster), ["a"]);
        });

        it("leave nothing behind when a destroy follows an interrupted download", async () => {
            breaksAfter = 100_000;
            await project.up(declared(1));
            assert.match(await host("a").output("ls /opt/etcd"), /\.archive\n$/);
            const state = await project.state();
            assert.match(state, /etcd:Provision/);
            assert.doesNotMatch(state, /PRIVATE KEY/);
            const gone = await project.destroy();
            assert.equal(gone.code, 0, gone.text);
            await assertBare("a");
        });
    });

    describe("from a file", () => {
        it("are not looked for again where they are: neither for a change, nor for another cluster", async () => {
            const path = join(project.directory, "etcd.tar.gz");
            copyFileSync(archive.path, path);
            const install: InstallSource = { source: "file", path, sha256: archive.sha256 };
            await project.mustUp({ [cluster]: bed.declare(1, { install }) });
            rmSync(path);

            const second = bed.declare(1, { install, clientPort: 12379, peerPort: 12380 });
            await project.mustUp({ [cluster]: bed.declare(1, { install, logLevel: "warn" }), second });
            assert.deepEqual(await voters(host("a"), cluster), ["a"]);
            const [release] = (await host("a").output("ls /opt/etcd")).trim().split("\n");
            const units = await host("a").output("grep -h ExecStart=/opt /etc/systemd/system/etcd-*.service");
            assert.equal(units, `ExecStart=/opt/etcd/${release}/etcd\n`.repeat(2));

            const run = await project.up({ [cluster]: bed.declare(3, { install }), second });
            assert.match(
                refusalOf(run)[0]!,
                /^install\.path ".*etcd\.tar\.gz" can't be read \(there is no such file\)/,
            );
            assert.deepEqual(await voters(host("a"), cluster), ["a"]);
        });

        it("stay for one cluster on a host when another one goes", async () => {
            const second = bed.declare(1, { clientPort: 12379, peerPort: 12380 });
            await project.mustUp({ [cluster]: bed.declare(1), second });
            await project.mustUp({ second });
            assert.equal((await host("a").output("systemctl is-active etcd-second")).trim(), "active");
            await host("a").output("systemctl restart etcd-second");
            assert.equal((await project.destroy()).code, 0);
            await assertBare("a");
        });
    });

    describe("from the distribution", () => {
        const declared = () => ({ [cluster]: bed.declare(3, { version: "3.4.99", install: { source: "debian" } }) });
        const packages = "dpkg-query -W -f '${db:Status-Abbrev}' etcd-server 2>/dev/null || true";

        it("of a version that it does not have are refused on the first host, before any package is changed", async () => {
            for (const name of ["a", "b", "c"]) await host(name).output("rm -rf /var/lib/apt/lists/*");
            const run = await project.up(declared());
            assert.notEqual(run.code, 0, run.text);
            const said =
                /host "(.)": etcd 3\.4\.99 was not installed: this host's packages offer etcd 3\.4\.\d+, wanted is 3\.4\.99/g;
            assert.deepEqual(new Set([...run.text.matchAll(said)].map(([, name]) => name)), new Set(["a"]));
            for (const name of ["a", "b", "c"]) assert.equal(await host(name).output(packages), "");
        });

        it("are known as another version where the host's lists say so, before anything is changed", async () => {
            await host("b").output("apt-get update -q");
            const preview = await project.preview(declared());
            assert.match(
                preview.text,
                /up will stop here: host "b" .*its packages offer etcd 3\.4\.\d+, wanted is 3\.4\.99/,
            );
            const run = await project.up(declared());
            assert.match(
                run.text,
                /its packages offer etcd 3\.4\.\d+, wanted is 3\.4\.99.*\n.*nothing was changed on any host/,
            );
        });
    });
});
