import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { InstallSource } from "../../components/args";
import { releaseDir, renderInstall, renderInstallCheck } from "../../components/host/install";
import { openLab, type Lab, type LabHost } from "../../lab";
import type { CommandResult } from "../../lab/command";
import { releaseArchive, type Release } from "../../lab/release";
import { ETCD_VERSION } from "./fixture";

const sha256 = (content: Buffer) => createHash("sha256").update(content).digest("hex");

describe("installing etcd", function () {
    this.timeout(120_000);
    let lab: Lab | undefined;
    let a: LabHost;
    let release: Release;
    let archive: Buffer;

    before(async () => {
        [lab, release] = await Promise.all([
            openLab({ environment: "install", hosts: [{ name: "a", address: "10.96.2.11" }] }),
            releaseArchive(ETCD_VERSION),
        ]);
        a = lab.host("a");
        archive = readFileSync(release.path);
    });
    after(() => lab?.down());
    beforeEach(() => a.rebuild());

    /** Runs an installation as it is run over SSH: the script is a file's text, stdin is the archive. */
    async function install(
        source: InstallSource,
        stdin: Buffer | string = "",
        version = release.version,
    ): Promise<CommandResult> {
        await a.writeFile("/root/install.sh", renderInstall(source, version));
        return a.run("sh /root/install.sh", { stdin, timeoutSeconds: 110 });
    }
    const check = async (source: InstallSource, version = release.version) =>
        a.output("sh", { stdin: renderInstallCheck(source, version) });
    const done: CommandResult = { stdout: "", stderr: "", code: 0 };
    const fromFile = (content = archive): InstallSource => ({
        source: "file",
        path: "archive",
        sha256: sha256(content),
    });

    describe("from a file", () => {
        it("unpacks the three programs, for everybody to run, and knows them again", async () => {
            assert.equal(await check(fromFile()), "absent\n");
            assert.deepEqual(await install(fromFile(), archive), done);
            assert.equal(await check(fromFile()), "present\n");
            const directory = releaseDir(fromFile(), release.version);
            const found = await a.output(`stat -c '%a %U %n' ${directory} ${directory}/*; ls /opt/etcd`);
            assert.equal(
                found,
                ["755 root ", "755 root /etcd", "755 root /etcdctl", "755 root /etcdutl"]
                    .map((line) => line.replace(/^(\S+ \S+ )/, `$1${directory}`))
                    .join("\n") + `\n${directory.split("/").pop()}\n`,
            );
        });

        it("does nothing when they are there", async () => {
            await install(fromFile(), archive);
            const state = () => a.output("find /opt/etcd -printf '%C@ %i %p\\n' | sort");
            const before = await state();
            assert.deepEqual(await install(fromFile(), archive), done);
            assert.equal(await state(), before);
        });

        it("takes an archive that is not compressed, and one without etcdutl", async () => {
            await a.writeFile("/root/archive.tar.gz", archive);
            const plain = await a.output(
                "cd /root; mkdir x; tar -xf archive.tar.gz -C x; rm x/*/etcdutl; tar -cf plain.tar -C x . --transform 's,^\\./,,'; sha256sum plain.tar",
            );
            const source: InstallSource = { source: "file", path: "x", sha256: plain.slice(0, 64) };
            await a.writeFile("/root/install.sh", renderInstall(source, release.version));
            assert.deepEqual(await a.run("sh /root/install.sh </root/plain.tar"), done);
            assert.equal(await check(source), "present\n");
        });

        it("refuses an archive with another digest, and leaves nothing behind", async () => {
            const tampered = Buffer.from(archive);
            tampered[tampered.length >> 1]! ^= 1;
            const { code, stderr } = await install(fromFile(), tampered);
            assert.equal(code, 1);
            assert.equal(
                stderr,
                `the archive has the sha256 ${sha256(tampered)}, wanted is ${sha256(archive)}: give the right archive, or correct sha256\n`,
            );
            assert.equal(await a.output("ls -A /opt"), "");
        });

        it("refuses an archive that was cut off", async () => {
            const { code, stderr } = await install(fromFile(), archive.subarray(0, 1000));
            assert.equal(code, 1);
            assert.match(stderr, /^the archive has the sha256/);
        });

        it("refuses another version than the declared one", async () => {
            const { code, stderr } = await install(fromFile(), archive, "3.6.1");
            assert.equal(code, 1);
            assert.equal(
                stderr,
                `the archive holds etcd ${release.version}, wanted is 3.6.1: give the right archive, or declare version "${release.version}"\n`,
            );
            assert.equal(await a.output("ls -A /opt"), "");
        });

        it("refuses an archive that holds something else", async () => {
            const other = Buffer.from(
                await a.output("cd /root; mkdir -p x/y; echo hello >x/y/readme; tar -czf - -C x y | base64"),
                "base64",
            );
            const { code, stderr } = await install(fromFile(other), other);
            assert.equal(code, 1);
            assert.match(stderr, /^the archive holds no etcd and etcdctl one level down/);
            const text = Buffer.from("no archive at all");
            const second = await install(fromFile(text), text);
            assert.match(second.stderr, /^the archive can't be unpacked below \/opt\/etcd: tar: /);
        });

        it("refuses binaries of another architecture", async () => {
            const script =
                "cd /root; mkdir -p x/y; printf '\\177ELFnonsense' >x/y/etcd; chmod 755 x/y/etcd; cp x/y/etcd x/y/etcdctl; tar -czf - -C x y | base64";
            const other = Buffer.from(await a.output(script), "base64");
            assert.match(
                (await install(fromFile(other), other)).stderr,
                /does not run on this host \(x86_64|aarch64\)/,
            );
        });

        it("ends well however often it was cut off", async () => {
            await a.writeFile("/root/archive", archive);
            await a.writeFile("/root/install.sh", renderInstall(fromFile(), release.version));
            for (let milliseconds = 20; milliseconds < 900; milliseconds += 60) {
                await a.run(`timeout -s KILL ${milliseconds / 1000} sh /root/install.sh </root/archive`);
                const state = await check(fromFile());
                if (state === "present\n")
                    assert.deepEqual(
                        await a
                            .run(`${releaseDir(fromFile(), release.version)}/etcdutl version`)
                            .then(({ code }) => code),
                        0,
                    );
            }
            assert.deepEqual(await install(fromFile(), archive), done);
            assert.equal(await check(fromFile()), "present\n");
            assert.equal(
                (await a.output("ls /opt/etcd")).trim(),
                releaseDir(fromFile(), release.version).split("/").pop(),
            );
        });

        it("is no installation when a program of it is gone", async () => {
            await install(fromFile(), archive);
            await a.output(`rm ${releaseDir(fromFile(), release.version)}/etcdctl`);
            assert.equal(await check(fromFile()), "absent\n");
            assert.deepEqual(await install(fromFile(), archive), done);
            assert.equal(await check(fromFile()), "present\n");
        });
    });

    describe("from a URL", () => {
        let server: Server;
        let requests: { range: string | undefined }[];
        /** How a request is answered: whole, or as far as a number of bytes. */
        let answer: { content: Buffer; cutAfter?: number };

        before(async () => {
            server = createServer((request, response) => {
                const range = request.headers.range;
                requests.push({ range });
                const from = range === undefined ? 0 : Number(/bytes=(\d+)-/.exec(range)?.[1]);
                const { content, cutAfter } = answer;
                const headers = { "content-length": content.length - from, "accept-ranges": "bytes" };
                response.writeHead(from > 0 ? 206 : 200, {
                    ...headers,
                    ...(from > 0 && { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` }),
                });
                if (cutAfter === undefined) response.end(content.subarray(from));
                else response.write(content.subarray(from, from + cutAfter), () => response.destroy());
            });
            const machine = "10.96.2.1";
            await new Promise<void>((resolve) => server.listen(0, machine, resolve));
        });
        after(() => new Promise((resolve) => server.close(resolve)));
        beforeEach(() => {
            requests = [];
            answer = { content: archive };
        });

        const fromUrl = (content = archive): InstallSource => {
            const { address, port } = server.address() as AddressInfo;
            return { source: "url", url: `http://${address}:${port}/etcd.tar.gz`, sha256: sha256(content) };
        };

        it("fetches once, and not again when the programs are there", async () => {
            assert.deepEqual(await install(fromUrl()), done);
            assert.equal(await check(fromUrl()), "present\n");
            assert.deepEqual(await install(fromUrl()), done);
            assert.equal(requests.length, 1);
        });

        it("goes on where an earlier run was cut off", async () => {
            answer = { content: archive, cutAfter: 100_000 };
            const { code, stderr } = await install(fromUrl());
            assert.equal(code, 1);
            assert.match(stderr, /^http:\S+ can't be fetched from this host: curl: /);
            answer = { content: archive };
            assert.deepEqual(await install(fromUrl()), done);
            assert.match(requests.at(-1)?.range ?? "", /^bytes=[1-9]\d*-$/);
        });

        it("starts again when what an earlier run left does not fit", async () => {
            const { url, sha256: digest } = fromUrl() as { url: string; sha256: string };
            await a.writeFile(`${releaseDir(fromUrl(), release.version)}.archive`, "x".repeat(1000));
            assert.deepEqual(await install({ source: "url", url, sha256: digest }), done);
            assert.equal(await check(fromUrl()), "present\n");
        });

        it("refuses what has another digest, and leaves nothing behind", async () => {
            answer = { content: Buffer.from("something else") };
            const { code, stderr } = await install(fromUrl());
            assert.equal(code, 1);
            assert.match(
                stderr,
                /^http:\S+ has the sha256 [0-9a-f]{64}, wanted is [0-9a-f]{64}: give the right URL, or correct sha256\n$/,
            );
            assert.equal(await a.output("ls -A /opt"), "");
        });

        it("says so when nobody serves there, or nothing is there to fetch with", async () => {
            const source = { ...fromUrl(), url: "http://10.96.2.1:9/etcd.tar.gz" } as InstallSource;
            assert.match(
                (await install(source)).stderr,
                /^http:\/\/10\.96\.2\.1:9\/etcd\.tar\.gz can't be fetched from this host: curl: /,
            );
            await a.output("mv /usr/bin/curl /root/");
            assert.match(
                (await install(fromUrl())).stderr,
                /^neither curl nor wget is on this host: install one of them, or use source "file"\n$/,
            );
        });
    });

    describe("from Debian's packages", () => {
        const debian: InstallSource = { source: "debian" };
        const version = "3.4.23";

        it("installs the packages, without a member of Debian's own", async () => {
            assert.deepEqual(await install(debian, "", version), done);
            assert.equal(await check(debian, version), "present\n");
            assert.equal((await a.output("systemctl is-active etcd.service || :")).trim(), "inactive");
            assert.equal((await a.output("systemctl is-enabled etcd.service || :")).trim(), "masked");
            assert.equal((await a.run("pgrep -x etcd")).code, 1);
            await a.reboot();
            assert.equal((await a.run("pgrep -x etcd")).code, 1);
            assert.deepEqual(await install(debian, "", version), done);
        });

        it("refuses a version that the packages don't have, before it installs anything", async () => {
            const { code, stderr } = await install(debian);
            assert.equal(code, 1);
            assert.match(
                stderr,
                /^this host's packages offer etcd 3\.4\.23, wanted is 3\.\d+\.\d+: declare the offered version, or use source "url" or "file"\n$/,
            );
            assert.equal((await a.run("dpkg -s etcd-server")).code, 1);
            assert.equal((await a.run("test -e /etc/systemd/system/etcd.service")).code, 1);
        });

        it("leaves an etcd alone that somebody runs as etcd.service", async () => {
            await a.output(
                "printf '[Service]\\nExecStart=sleep infinity\\n' >/etc/systemd/system/etcd.service; systemctl daemon-reload; systemctl start etcd",
            );
            const pid = await a.output("systemctl show --value --property MainPID etcd");
            const { code, stderr } = await install(debian, "", version);
            assert.equal(code, 1);
            assert.match(
                stderr,
                /^etcd\.service runs on this host, and installing etcd 3\.4\.23 would change it: stop it, or use source "url" or "file"\n$/,
            );
            assert.equal(await a.output("systemctl show --value --property MainPID etcd"), pid);
            await a.output("systemctl stop etcd");
            assert.match(
                (await install(debian, "", version)).stderr,
                /^\/etc\/systemd\/system\/etcd\.service is somebody's own unit/,
            );
        });

        it("uses a package that is there, and leaves its service as it is", async () => {
            await a.output("apt-get update -q; apt-get install -y -q etcd-server etcd-client", { timeoutSeconds: 110 });
            assert.equal((await a.output("systemctl is-active etcd")).trim(), "active");
            assert.deepEqual(await install(debian, "", version), done);
            assert.equal(
                (await a.output("systemctl is-active etcd; systemctl is-enabled etcd")).trim(),
                "active\nenabled",
            );
        });

        it("ends well after it was cut off in the middle of the packages", async () => {
            await a.writeFile("/root/install.sh", renderInstall(debian, version));
            await a.run("timeout -s KILL 1.2 sh /root/install.sh");
            await a.run("while pgrep -x 'apt-get|dpkg' >/dev/null; do sleep 0.1; done");
            assert.deepEqual(await install(debian, "", version), done);
            assert.equal(await check(debian, version), "present\n");
            assert.equal((await a.run("pgrep -x etcd")).code, 1);
        });
    });
});
