/** The main job, for real, on hosts of this machine: one member, data, two more hosts, `up` again, data read back from each. */
import { spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { parse, stringify } from "yaml";

import { resolveToolchain, type Toolchain } from "../toolchain";
import { closeLab, openLab, type Lab, type LabHost } from ".";
import { layOutRelease, releaseArchive } from "./release";

const checkout = join(__dirname, "..");
const stack = "lab";
const cluster = "lab-etcd";
const hosts = [1, 2, 3].map((number) => ({ name: `lab-etcd-${number}`, address: `10.77.9.1${number}` }));
/** A copy of the stack's file, so that playing changes nothing that is committed. */
const config = join(".lab", `Pulumi.${stack}.yaml`);

async function main(): Promise<void> {
    heading("Setting up: engine, etcd, three hosts");
    const toolchain = await resolveToolchain();
    const release = await releaseArchive("3.6");
    await layOutRelease(checkout, release);
    await forgetEarlier(toolchain);
    const lab = await openLab({ environment: stack, hosts });
    say(`hosts ${hosts.map(({ name, address }) => `${name} (${address})`).join(", ")} are up`);

    await declare(hosts.slice(0, 1), release.version);

    heading("One host is declared: pulumi up");
    await pulumi(toolchain, ["up", "--yes", "--skip-preview"]);
    await etcdctl(lab.host(hosts[0]!.name), ["put", "greeting", "hello from a cluster of one"]);
    say("wrote: greeting = hello from a cluster of one");

    heading("Two lines are added to the list of hosts: pulumi preview, pulumi up");
    await declare(hosts, release.version);
    await pulumi(toolchain, ["preview"]);
    await pulumi(toolchain, ["up", "--yes", "--skip-preview"]);

    heading("The data, read from each member");
    for (const { name } of hosts)
        say(`${name}: ${(await etcdctl(lab.host(name), ["get", "--print-value-only", "greeting"])).trim()}`);
    await showStatus(lab);

    heading("Go on");
    console.log(`  Add, remove or change hosts in ${config}, then:
    npm run pulumi -- up --stack ${stack} --config-file ${config}
  Log in, or break something:
    npm run lab -- ssh ${stack} ${hosts[0]!.name}
    npm run lab -- kill ${stack} ${hosts[1]!.name}
  Clean up:
    npm run pulumi -- destroy --yes --stack ${stack} --config-file ${config}
    npm run lab -- down ${stack}`);
}

/** The stack's file with these hosts. */
async function declare(declared: readonly { name: string; address: string }[], version: string): Promise<void> {
    const committed = parse(await readFile(join(checkout, `Pulumi.${stack}.yaml`), "utf8")) as {
        config: Record<string, unknown>;
    };
    const install = {
        source: "file",
        path: `.lab/releases/etcd-v${version}-linux-${process.arch === "arm64" ? "arm64" : "amd64"}.tar.gz`,
    };
    committed.config["pulumi-etcd:version"] = version;
    committed.config["pulumi-etcd:install"] = install;
    committed.config["pulumi-etcd:hosts"] = declared;
    await mkdir(join(checkout, ".lab"), { recursive: true });
    await writeFile(join(checkout, config), stringify(committed));
}

/** Begins with new hosts and an empty stack, whatever became of those of an earlier demo. */
async function forgetEarlier(toolchain: Toolchain): Promise<void> {
    const select = ["stack", "select", "--create", stack];
    await closeLab(stack);
    await pulumi(toolchain, select, "quiet");
    await pulumi(toolchain, ["stack", "rm", "--yes", "--force", "--preserve-config", "--stack", stack], "quiet");
    await pulumi(toolchain, select, "quiet");
}

async function pulumi(
    { pulumi: program, env }: Toolchain,
    args: readonly string[],
    output: "shown" | "quiet" = "shown",
): Promise<void> {
    const takesConfig = args[0] !== "stack";
    const all = [...args, ...(takesConfig ? ["--stack", stack, "--config-file", config] : []), "--non-interactive"];
    const child = spawn(program, all, {
        cwd: checkout,
        env,
        stdio: ["ignore", output === "shown" ? "inherit" : "pipe", output === "shown" ? "inherit" : "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
        stream?.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with exit code ${code}${text && `:\n${text}`}`);
}

/** etcdctl on a member's host, with the member's own certificate. */
async function etcdctl(host: LabHost, args: readonly string[]): Promise<string> {
    const directory = `/etc/etcd/${cluster}`;
    const words = args.map((word) => `'${word}'`).join(" ");
    return host.output(
        `$(dirname $(sed -n 's/^ExecStart=//p' /etc/systemd/system/etcd-${cluster}.service))/etcdctl --endpoints https://${host.address}:2379 --cacert ${directory}/current/client-ca.crt --cert ${directory}/pki/server.crt --key ${directory}/pki/server.key ${words}`,
    );
}

async function showStatus(lab: Lab): Promise<void> {
    console.log(await etcdctl(lab.host(hosts[0]!.name), ["endpoint", "status", "--cluster", "--write-out", "table"]));
}

function heading(text: string): void {
    console.log(`\n== ${text}`);
}

function say(text: string): void {
    console.log(`  ${text}`);
}

main().catch((error: unknown) => {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
});
