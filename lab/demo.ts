// Usage: npm run demo [-- ENVIRONMENT [NETWORK]], such as `npm run demo -- demo2 10.77.19`; by default lab 10.77.9
// The main job, for real, on hosts of this machine: one member, data, two more hosts, `up` again, data read back from each.

import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { isIPv4 } from "node:net";
import { join } from "node:path";

import { parse, stringify } from "yaml";

import { resolveToolchain, type Toolchain } from "../toolchain";
import { withLock } from "../toolchain/lock";
import { passSignals } from "../toolchain/signals";
import { closeLab, openLab, type LabHost } from ".";
import { environmentStates } from "./lab";
import { requireLabMachine } from "./prerequisites";
import { layOutRelease, releaseArchive } from "./release";
import { validateSpec, type LabHostSpec, type LabSpec } from "./spec";
import { lockFile } from "./state";

const checkout = join(__dirname, "..");
const stack = "lab";
const cluster = "lab-etcd";
/** A copy of the stack's file, so that playing changes nothing that is committed. */
const config = join(".lab", `Pulumi.${stack}.yaml`);

async function main(args: readonly string[]): Promise<void> {
    const spec = specOf(args);
    await requireLabMachine();
    const what = `runs the demo on lab "${spec.environment}"`;
    await withLock(lockFile(`${spec.environment}.demo`), what, () =>
        withLock(join(checkout, ".lab", "demo.lock"), what, () => demonstrate(spec)),
    );
}

/** @throws when these are no words for it */
function specOf([environment = "lab", network = "10.77.9", ...rest]: readonly string[]): LabSpec {
    if (rest.length > 0)
        throw new Error(
            `"${rest.join(" ")}" is too much: npm run demo -- [ENVIRONMENT [NETWORK]], such as demo2 10.77.19`,
        );
    if (!isIPv4(`${network}.1`))
        throw new Error(
            `network "${network}" is none: write the first three numbers of its addresses, such as 10.77.19`,
        );
    const hosts = [1, 2, 3].map((number) => ({ name: `${cluster}-${number}`, address: `${network}.1${number}` }));
    const spec = { environment, hosts };
    validateSpec(spec);
    return spec;
}

async function demonstrate(spec: LabSpec): Promise<void> {
    const { environment, hosts } = spec;
    await refuseOtherHosts(environment);
    heading("Setting up: engine, etcd, three hosts");
    const toolchain = await resolveToolchain();
    const release = await releaseArchive("3.6");
    await layOutRelease(checkout, release);
    await forgetEarlier(toolchain, environment);
    const lab = await openLab(spec);
    say(`hosts ${hosts.map(({ name, address }) => `${name} (${address})`).join(", ")} are up`);

    await declare(environment, hosts.slice(0, 1), release.version);

    heading("One host is declared: pulumi up");
    await pulumi(toolchain, ["up", "--yes", "--skip-preview"]);
    await etcdctl(lab.host(hosts[0]!.name), ["put", "greeting", "hello from a cluster of one"]);
    say("wrote: greeting = hello from a cluster of one");

    heading("Two lines are added to the list of hosts: pulumi preview, pulumi up");
    await declare(environment, hosts, release.version);
    await pulumi(toolchain, ["preview"]);
    await pulumi(toolchain, ["up", "--yes", "--skip-preview"]);

    heading("The data, read from each member");
    for (const { name } of hosts)
        say(`${name}: ${(await etcdctl(lab.host(name), ["get", "--print-value-only", "greeting"])).trim()}`);
    await showStatus(lab.host(hosts[0]!.name));

    heading("Go on");
    console.log(`  Add, remove or change hosts in ${config}, then:
    npm run lab -- up ${environment} --config-file ${config}
    npm run pulumi -- up --stack ${stack} --config-file ${config}
  Log in, or break something:
    npm run lab -- ssh ${environment} ${hosts[0]!.name}
    npm run lab -- kill ${environment} ${hosts[1]!.name}
  Clean up:
    npm run pulumi -- destroy --yes --stack ${stack} --config-file ${config}
    npm run lab -- down ${environment}`);
}

/** The stack's file with these hosts. */
async function declare(environment: string, declared: readonly LabHostSpec[], version: string): Promise<void> {
    const committed = parse(await readFile(join(checkout, `Pulumi.${stack}.yaml`), "utf8")) as {
        config: Record<string, unknown>;
    };
    const install = { source: "file", path: `.lab/releases/etcd-v${version}-linux-{arch}.tar.gz` };
    committed.config["pulumi-etcd:version"] = version;
    committed.config["pulumi-etcd:install"] = install;
    committed.config["pulumi-etcd:hosts"] = declared;
    committed.config["pulumi-etcd:ssh"] = {
        user: "root",
        privateKeyFile: `.lab/${environment}/id_ed25519`,
        knownHostsFile: `.lab/${environment}/known_hosts`,
    };
    await writeFile(join(checkout, config), stringify(committed));
}

/** A checkout has one such stack: hosts of another environment would be left without theirs. */
async function refuseOtherHosts(environment: string): Promise<void> {
    const earlier = await readFile(join(checkout, config), "utf8").catch(() => "");
    const other = /privateKeyFile: \.lab\/(.+)\/id_ed25519/.exec(earlier)?.[1];
    if (other === undefined || other === environment || environmentStates(other).length === 0) return;
    throw new Error(
        `stack "${stack}" of this checkout has the hosts of lab "${other}": npm run lab -- down ${other}, or run this demo from another checkout`,
    );
}

/** Begins with new hosts and an empty stack, whatever became of those of an earlier demo. */
async function forgetEarlier(toolchain: Toolchain, environment: string): Promise<void> {
    const select = ["stack", "select", "--create", stack];
    await closeLab(environment);
    await pulumi(toolchain, select, "quiet");
    // A killed engine leaves its lock.
    await pulumi(toolchain, ["cancel", "--yes", "--stack", stack], "quiet");
    await pulumi(toolchain, ["stack", "rm", "--yes", "--force", "--preserve-config", "--stack", stack], "quiet");
    await pulumi(toolchain, select, "quiet");
}

async function pulumi(
    { pulumi: program, env }: Toolchain,
    args: readonly string[],
    output: "shown" | "quiet" = "shown",
): Promise<void> {
    const takesConfig = ["preview", "up"].includes(args[0] ?? "");
    const all = [...args, ...(takesConfig ? ["--stack", stack, "--config-file", config] : []), "--non-interactive"];
    const child = spawn(program, all, {
        cwd: checkout,
        env,
        stdio: ["ignore", output === "shown" ? "inherit" : "pipe", output === "shown" ? "inherit" : "pipe"],
    });
    passSignals(child);
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

async function showStatus(host: LabHost): Promise<void> {
    console.log(await etcdctl(host, ["endpoint", "status", "--cluster", "--write-out", "table"]));
}

function heading(text: string): void {
    console.log(`\n== ${text}`);
}

function say(text: string): void {
    console.log(`  ${text}`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
});
