import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { attachLab, closeLab } from "../../lab";
import { execute } from "../../lab/command";
import type { CommandResult } from "../../lab/command";
import { tracesOf } from "./traces";

const environment = "labtest-cli";
const checkout = join(__dirname, "../..");
const program = ["--require", join(checkout, "toolchain/register.js"), join(checkout, "lab/cli.ts")];

describe("lab: the command line", () => {
    const directory = mkdtempSync(join(tmpdir(), "lab-cli-"));
    const file = join(directory, `Pulumi.${environment}.yaml`);

    before(async () => {
        await closeLab(environment);
        const hosts = [1, 2].map((number) => `    - { name: etcd-${number}, address: 10.99.15.1${number} }\n`);
        writeFileSync(file, `config:\n  pulumi-etcd:hosts:\n${hosts.join("")}`);
    });
    after(async () => {
        await closeLab(environment);
        rmSync(directory, { recursive: true });
    });

    it("up makes the hosts of a stack's file, and says so", async () => {
        const { stdout, code } = await lab("up", "--config-file", file);
        assert.equal(code, 0);
        assert.match(stdout, /^etcd-1 {2}10\.99\.15\.11 {2}made\netcd-2 {2}10\.99\.15\.12 {2}made\n/);
        assert.match(stdout, /"labtest-cli" is up after [\d.]+ s\./);
    });

    it("up says of each host what it was", async () => {
        await lab("kill", environment, "etcd-1");
        const { stdout } = await lab("up", environment, "--config-file", file);
        assert.match(stdout, /etcd-1 .* was down\netcd-2 .* was up\n/);
    });

    it("up without a file takes an environment as it is", async () => {
        await lab("stop", environment, "etcd-2");
        assert.match((await lab("up", environment)).stdout, /etcd-1 .* was up\netcd-2 .* was down\n/);
    });

    it("status shows a table, faults included", async () => {
        await lab("cut", environment, "etcd-1");
        await lab("freeze", environment, "etcd-2");
        const { stdout, code } = await lab("status", environment);
        assert.equal(code, 0);
        assert.equal(
            stdout,
            [
                "ENVIRONMENT  HOST    ADDRESS      STATE   ROLE  IMAGE",
                "labtest-cli  etcd-1  10.99.15.11  cut     host  bookworm",
                "labtest-cli  etcd-2  10.99.15.12  frozen  host  bookworm",
                "",
            ].join("\n"),
        );
        await lab("thaw", environment, "etcd-2");
        await lab("heal", environment, "etcd-1");
        assert.doesNotMatch((await lab("status", environment)).stdout, /cut|frozen/);
    });

    it("ssh logs in as the user asked for and gives the command's exit code", async () => {
        const result = await lab("ssh", "--user", "admin", environment, "etcd-1", "id -un; hostname; exit 4");
        assert.deepEqual([result.stdout, result.code], ["admin\netcd-1\n", 4]);
    });

    it("exec runs a command with its input and gives its exit code", async () => {
        const result = await lab.with("input")("exec", environment, "etcd-2", "cat; hostname; exit 5");
        assert.deepEqual([result.stdout, result.code], ["inputetcd-2\n", 5]);
    });

    it("exec ends with its command though its own input stays open", async () => {
        const child = spawn(process.execPath, [...program, "exec", environment, "etcd-2", "hostname"], {
            cwd: checkout,
        });
        let stdout = "";
        child.stdout.on("data", (data: Buffer) => (stdout += data.toString()));
        const [code] = (await once(child, "exit")) as [number];
        assert.deepEqual([stdout, code], ["etcd-2\n", 0]);
    });

    it("logs shows a unit's journal", async () => {
        assert.match((await lab("logs", environment, "etcd-1", "ssh")).stdout, /Server listening on/);
    });

    it("delay and partition reach the network", async () => {
        await lab("delay", environment, "etcd-1", "5");
        await lab("partition", environment, "etcd-2", "etcd-1");
        assert.match((await lab("status", environment)).stdout, /etcd-1 .* delay .*\n.*etcd-2 .* partition /);
        const hosts = await attachLab(environment);
        assert.equal(await hosts.host("etcd-1").connect("10.99.15.12", 22, 300), false);
        await lab("heal", environment, "etcd-1", "etcd-2");
        assert.equal(await hosts.host("etcd-1").connect("10.99.15.12", 22), true);
    });

    it("rebuild and reboot come back as running hosts", async () => {
        await lab("exec", environment, "etcd-1", "touch /srv/old");
        assert.equal((await lab("rebuild", environment, "etcd-1")).code, 0);
        assert.equal((await lab("reboot", environment, "etcd-1")).code, 0);
        assert.equal((await lab("exec", environment, "etcd-1", "test -e /srv/old")).code, 1);
    });

    it("diagnose writes a file for each host, one that is down included", async () => {
        await lab("kill", environment, "etcd-2");
        assert.equal((await lab("diagnose", environment, directory)).code, 0);
        const text = readFileSync(join(directory, "etcd-1.txt"), "utf8");
        for (const part of ["systemctl --failed", "nft list ruleset", "Server listening on"])
            assert.ok(text.includes(part));
        assert.match(readFileSync(join(directory, "etcd-2.txt"), "utf8"), /^down;[^]*Server listening on/);
    });

    const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
        ["an unknown command", ["upp"], /^error: there is no command "upp"; .*\n$/],
        ["a missing host", ["ssh", environment], /^error: HOST is missing; .*\n$/],
        [
            "an unknown host",
            ["kill", environment, "etcd-9"],
            /^error: environment "labtest-cli" has no host "etcd-9": it has etcd-1, etcd-2\n$/,
        ],
        [
            "an environment that is not there",
            ["exec", "labtest-none", "a", "true"],
            /^error: environment "labtest-none" is not there: npm run lab -- up labtest-none\n$/,
        ],
        ["a stack without a file", ["up", "labtest-none"], /^error: stack "labtest-none" has no configuration: .*\n$/],
        [
            "a host without an address",
            ["up", "labtest-none", "--hosts", "a"],
            /^error: "a" is no host: write NAME=ADDRESS\n$/,
        ],
        [
            "an unknown image",
            ["up", "labtest-none", "--hosts", "a=10.99.15.13", "--image", "sid"],
            /^error: image "sid" is unknown: .*\n$/,
        ],
        ["an unknown option", ["up", "--force"], /^error: .*--force.*\n$/],
    ];
    for (const [what, args, message] of mistakes) {
        it(`answers ${what} with one line and exit code 1`, async () => {
            const { stdout, stderr, code } = await lab(...args);
            assert.deepEqual([stdout, code], ["", 1]);
            assert.match(stderr, message);
        });
    }

    it("help names every command", async () => {
        const { stdout, code } = await lab("help");
        assert.equal(code, 0);
        for (const command of ["up", "down", "status", "ssh", "exec", "logs", "kill", "cut", "heal", "rebuild"]) {
            assert.match(stdout, new RegExp(`^  ${command} `, "m"));
        }
    });

    it("down removes the environment, and says when there was none", async () => {
        assert.equal((await lab("down", environment)).stdout, `"${environment}" is gone\n`);
        assert.deepEqual(await tracesOf(environment), []);
        assert.equal((await lab("down", environment)).stdout, `"${environment}" was not there\n`);
        assert.equal((await lab("status", environment)).code, 1);
    });
});

const lab = Object.assign(run(""), { with: run });

function run(stdin: string): (...args: readonly string[]) => Promise<CommandResult> {
    return (...args) => execute(process.execPath, [...program, ...args], { stdin, timeoutSeconds: 300 });
}
