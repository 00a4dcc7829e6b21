import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import { resolveToolchain, type Toolchain } from "../../toolchain";
import { packageVersion } from "../../toolchain/engine";
import { findOnPath } from "../../toolchain/findOnPath";
import { checkout, startFixture, temporaryDirectory, type Ended } from "./process";
import { startVendor, type Vendor } from "./vendor";

const plugins = ["command", "tls"] as const;

describe("resolving the toolchain", () => {
    let place: string;
    let home: string;
    let bin: string;
    let cache: string;
    let vendor: Vendor | undefined;

    beforeEach(() => {
        place = temporaryDirectory();
        [home, bin, cache] = ["home", "bin", "cache"].map((name) => join(place, name)) as [string, string, string];
        mkdirSync(home);
        mkdirSync(bin);
        for (const tool of ["flock", "tar", "gzip", "node", "sh"]) link(tool, findOnPath(tool));
    });

    afterEach(() => {
        vendor?.close();
        vendor = undefined;
        // Go may still note there that it was used.
        rmSync(place, { recursive: true, maxRetries: 10 });
    });

    /** Resolves on a machine that has nothing but what is in `bin`: no Go, no pulumi, an empty cache. */
    function resolve(more: NodeJS.ProcessEnv): Promise<Ended> {
        return startFixture("resolve.ts", [], { PATH: bin, HOME: home, XDG_CACHE_HOME: cache, ...more }).ended;
    }

    function link(name: string, target: string | undefined, directory = bin): void {
        assert(target, `${name} is missing`);
        mkdirSync(directory, { recursive: true });
        symlinkSync(target, join(directory, name));
    }

    async function installOnPath(): Promise<void> {
        const { choices } = await resolveToolchain();
        for (const { path } of choices) link(path.slice(dirname(path).length + 1), path);
    }

    function read({ code, stdout, stderr }: Ended): Toolchain {
        assert.equal(code, 0, stderr);
        return JSON.parse(stdout) as Toolchain;
    }

    const origins = ({ choices }: Toolchain): string[] => choices.map(({ name, origin }) => `${name} ${origin}`);

    it("takes the engine and plugins that are on PATH, and says so at length only once", async () => {
        await installOnPath();
        const first = await resolve({});
        assert.deepEqual(origins(read(first)), [
            "pulumi installed",
            "pulumi-language-nodejs installed",
            "plugin command installed",
            "plugin tls installed",
        ]);
        assert.match(first.stderr, new RegExp(`^pulumi: installed, ${join(bin, "pulumi")}$`, "m"));
        const second = await resolve({});
        assert.equal(second.stderr.trim().split("\n").length, 1);
        assert.match(second.stderr, /^toolchain: pulumi installed, /);
    });

    it("takes a plugin that the user installed for that version", async () => {
        await installOnPath();
        const own = join(home, ".pulumi", "plugins", `resource-tls-v${packageVersion("@pulumi/tls")}`);
        rmSync(join(bin, "pulumi-resource-tls"));
        link("pulumi-resource-tls", findOnPath("true"), own);
        const { choices } = read(await resolve({}));
        assert.equal(choices.find(({ name }) => name === "plugin tls")?.path, join(own, "pulumi-resource-tls"));
    });

    it("gives an environment that runs the engine and touches nothing of the user's", async () => {
        await installOnPath();
        const { pulumi, env } = read(
            await resolve({
                PULUMI_ACCESS_TOKEN: "pul-secret",
                PULUMI_BACKEND_URL: "s3://production",
                PULUMI_HOME: join(home, ".pulumi"),
                SSH_AUTH_SOCK: join(place, "of-an-ended-login"),
            }),
        );
        const run = (...args: string[]): string => execFileSync(pulumi, args, { env, cwd: place, encoding: "utf8" });
        assert.ok(run("whoami", "--verbose").includes(`Backend URL: ${pathToFileURL(checkout).href}/.lab/state`));
        assert.match(run("plugin", "ls"), /command +resource +\d[^]*tls +resource +\d/);
        assert.equal(env.PULUMI_ACCESS_TOKEN, undefined);
        assert.equal(env.SSH_AUTH_SOCK, undefined);
        assert.deepEqual(readdirSync(home), []);
    });

    it("downloads from the vendor what is not installed", async () => {
        const version = packageVersion("@pulumi/pulumi");
        const architecture = process.arch === "x64" ? "amd64" : process.arch;
        const pluginPath = (name: string): string =>
            `/releases/plugins/pulumi-resource-${name}-v${packageVersion(`@pulumi/${name}`)}-linux-${architecture}.tar.gz`;
        vendor = await startVendor(place, {
            [`/releases/sdk/pulumi-v${version}-linux-${process.arch}.tar.gz`]: "pulumi/pulumi",
            [pluginPath("command")]: "pulumi-resource-command",
            [pluginPath("tls")]: "pulumi-resource-tls",
        });
        const toolchain = read(await resolve({ PULUMI_ETCD_DOWNLOAD_URL: vendor.url }));
        assert.deepEqual(origins(toolchain), ["pulumi download", ...plugins.map((name) => `plugin ${name} download`)]);
        assert.equal(execFileSync("pulumi", { env: toolchain.env, encoding: "utf8" }).trim(), "pulumi from the vendor");
        const count = vendor.asked.length;
        read(await resolve({ PULUMI_ETCD_DOWNLOAD_URL: vendor.url }));
        assert.equal(vendor.asked.length, count);
    });

    it("remembers what the vendor does not have, and without Go says what to install", async () => {
        vendor = await startVendor(place, {});
        const first = await resolve({ PULUMI_ETCD_DOWNLOAD_URL: vendor.url });
        assert.equal(first.code, 1);
        const wanted =
            /^pulumi can't be had: install it from \S+ \(tried: not installed, no download \(.*HTTP status 404\), pulumi-cli \S+ has to be built and Go is not on PATH: install Go 1\.\d+/m;
        assert.match(first.stderr, wanted);
        assert.equal(vendor.asked.length, 1);
        const second = await resolve({ PULUMI_ETCD_DOWNLOAD_URL: vendor.url });
        assert.match(second.stderr, wanted);
        assert.equal(vendor.asked.length, 1);
    });

    it("tries a forced download again although it failed a moment ago", async () => {
        vendor = await startVendor(place, {});
        const env = { PULUMI_ETCD_DOWNLOAD_URL: vendor.url, PULUMI_ETCD_TOOLCHAIN: "download" };
        await resolve(env);
        const { code, stderr } = await resolve(env);
        assert.equal(code, 1);
        assert.match(
            stderr,
            /^pulumi can't be had with PULUMI_ETCD_TOOLCHAIN=download: .* \(tried: no download \(.*HTTP status 404\)\)$/m,
        );
        assert.equal(vendor.asked.length, 2);
    });

    it("gives up on a vendor that takes the connection and never answers", async () => {
        vendor = await startVendor(place, {}, false);
        const { code, stderr } = await resolve({
            PULUMI_ETCD_DOWNLOAD_URL: vendor.url,
            PULUMI_ETCD_TOOLCHAIN: "download",
        });
        assert.equal(code, 1);
        assert.match(stderr, /no download \(127\.0\.0\.1:\d+ no answer within 5 s\)/);
    });

    it("says that nothing is installed when only that is allowed", async () => {
        const { code, stderr } = await resolve({ PULUMI_ETCD_TOOLCHAIN: "installed" });
        assert.equal(code, 1);
        assert.equal(
            stderr.trim(),
            "pulumi can't be had with PULUMI_ETCD_TOOLCHAIN=installed: install it from https://www.pulumi.com/docs/install/, or unset PULUMI_ETCD_TOOLCHAIN (tried: not installed)",
        );
    });

    it("builds when only that is allowed, whatever is installed", async () => {
        await installOnPath();
        const { code, stderr } = await resolve({ PULUMI_ETCD_TOOLCHAIN: "build" });
        assert.equal(code, 1);
        assert.match(
            stderr,
            /^pulumi can't be had with PULUMI_ETCD_TOOLCHAIN=build: .*Go is not on PATH: install Go 1\.\d+/m,
        );
    });

    it("says what has to be reachable when modules can't be had", async () => {
        link("go", findOnPath("go"));
        const env = { GOPROXY: "http://127.0.0.1:9", GOMODCACHE: join(place, "modules"), GOSUMDB: "off" };
        const { code, stderr } = await resolve({ PULUMI_ETCD_TOOLCHAIN: "build", ...env });
        assert.equal(code, 1);
        assert.match(
            stderr,
            /could not be built \(modules come from Go's module proxy, which has to be reachable once: /,
        );
        assert.match(stderr, /127\.0\.0\.1:9/);
    });

    it("builds nothing with a Go that can't fetch the one that is needed", async () => {
        for (const version of ["go1.4.3", "go1.20.14"]) {
            standInForGo(version, "");
            const { code, stderr } = await resolve({ PULUMI_ETCD_TOOLCHAIN: "build" });
            assert.equal(code, 1);
            const wanted = `has to be built and ${join(bin, "go")} is ${version}: install Go 1.21 or later (https://go.dev/dl)`;
            assert(stderr.includes(wanted), stderr);
            assert(!existsSync(join(place, "built")));
        }
    });

    it("names the module proxy only where Go has asked it in vain", async () => {
        const buildSaying = async (text: string): Promise<string> => {
            standInForGo("go1.21.0", text);
            const { code, stderr } = await resolve({ PULUMI_ETCD_TOOLCHAIN: "build" });
            assert.equal(code, 1);
            assert(stderr.includes(text), stderr);
            return stderr;
        };
        const inVain = "dial tcp: lookup proxy.golang.org: no such host";
        assert.match(await buildSaying(inVain), /could not be built \(modules come from Go's module proxy/);
        const full = await buildSaying("write /root/go/pkg/mod/one.zip: no space left on device");
        assert.match(full, /could not be built: go build \(1\) failed/);
        assert(!full.includes(inVain), full);
    });

    /** A Go that says this when it is to build, and leaves a file `built`. */
    function standInForGo(version: string, says: string): void {
        const script = `#!/bin/sh
if [ "$1" = version ]; then echo go version ${version} linux/amd64; exit; fi
echo '${says}' >&2
: > '${join(place, "built")}'
exit 1
`;
        writeFileSync(join(bin, "go"), script, { mode: 0o755 });
    }

    it("refuses a PULUMI_ETCD_TOOLCHAIN that it does not know", async () => {
        const { code, stderr } = await resolve({ PULUMI_ETCD_TOOLCHAIN: "vendor" });
        assert.equal(code, 1);
        assert.match(stderr, /PULUMI_ETCD_TOOLCHAIN is "vendor": use installed, download, build, or unset it/);
    });
});
