import { createHash } from "node:crypto";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { execute, succeed } from "./command";
import { setPartition } from "./partition";
import { subnetOf } from "./spec";
import { environmentDirectory } from "./state";
import type { EnvironmentRecord } from "./state";

/**
 * An environment's network: one bridge ("lab"), in a network namespace of its own, the switch, where neither this machine's
 * firewall nor another environment has a say. Each host's cable ends there, and so does one cable of this machine (the
 * uplink). Hosts have no default route, and this machine has a route to each single host: nothing is forwarded anywhere.
 *
 * Gives the file that the switch's namespace is mounted on.
 */
export function switchFile(environment: string): string {
    return join(environmentDirectory(environment), "switch");
}

/** Of this machine. Names of interfaces have at most 15 characters. */
export function uplinkName(environment: string): string {
    return `lab${digest(environment)}`;
}

/** Of the switch. */
export function portName(host: string): string {
    return `port${digest(host)}`;
}

/** The same at each boot, as with a real card: neighbours go on sending to the one that they know. */
export function hardwareAddress(environment: string, host: string): string {
    const bytes = digest(`${environment}/${host}`).match(/../g) ?? [];
    // "02": locally administered.
    return ["02", ...bytes].join(":");
}

function digest(text: string): string {
    return createHash("sha256").update(text).digest("hex").slice(0, 10);
}

/** Makes what is missing of the environment's network, and a route to each host that this machine is to reach. */
export async function makeNetwork(record: EnvironmentRecord): Promise<void> {
    const { environment, gateway } = record;
    const uplink = uplinkName(environment);
    const there = await linksOfSwitch(environment);
    if (!there.includes("lab")) {
        await ipBatch(["link set lo up", "link add lab type bridge", "link set lab up"], switchFile(environment));
    }
    if (!there.includes("uplink")) {
        await execute("ip", ["link", "delete", uplink]);
        await ipBatch([`link add ${uplink} type veth peer name uplink netns ${switchFile(environment)}`]);
    }
    await ipBatch(["link set uplink master lab up"], switchFile(environment));
    const routes = [...hostAddresses(record).map((address) => `${address}/32`), ...subnets(record)].map(
        (to) => `route replace ${to} dev ${uplink} scope link src ${gateway} metric ${routeMetric(environment)}`,
    );
    await ipBatch([`link set ${uplink} up`, `address replace ${gateway}/32 dev ${uplink}`, ...routes]);
    await hideBehindBastion(record);
}

/** To an address that no host has any more. */
export async function dropRoute(environment: string, address: string): Promise<void> {
    await execute("ip", ["route", "delete", `${address}/32`, "dev", uplinkName(environment)]);
}

/**
 * Environments may share a network, though no address: each has its own route to it, behind the ones to single hosts. It
 * keeps what is meant for an address that no host has from leaving this machine by the default route.
 */
function routeMetric(environment: string): number {
    return 1 + parseInt(digest(environment).slice(0, 6), 16);
}

/** With a bastion, the switch lets nothing through between this machine and the other hosts. */
async function hideBehindBastion(record: EnvironmentRecord): Promise<void> {
    if (record.bastion === undefined) return;
    const hidden = record.hosts.filter(({ name }) => name !== record.bastion);
    await setPartition(
        switchFile(record.environment),
        "bastion",
        [record.gateway],
        hidden.flatMap(({ address, extraAddresses }) => [address, ...extraAddresses]),
    );
}

function hostAddresses(record: EnvironmentRecord): readonly string[] {
    return record.hosts.flatMap(({ address, extraAddresses }) => [address, ...extraAddresses]);
}

/** Every network that some address of the environment is in. */
export function subnets(record: EnvironmentRecord): readonly string[] {
    return [...new Set([record.gateway, ...hostAddresses(record)].map(subnetOf))];
}

export async function removeNetwork(environment: string): Promise<void> {
    await execute("ip", ["link", "delete", uplinkName(environment)]);
    const file = switchFile(environment);
    while (existsSync(file) && (await execute("umount", [file])).code === 0);
    rmSync(file, { force: true });
}

/** Runs `ip` commands in one go; the first that fails ends them. In the network namespace of a file, where one is given. */
export async function ipBatch(lines: readonly string[], namespaceFile?: string): Promise<void> {
    if (lines.length === 0) return;
    const stdin = `${lines.join("\n")}\n`;
    if (namespaceFile === undefined) await succeed("ip", ["-batch", "-"], { stdin });
    else await succeed("nsenter", [`--net=${namespaceFile}`, "ip", "-batch", "-"], { stdin });
}

/** The IPv4 addresses of an interface in the network namespace of a file. */
export async function addressesOf(link: string, namespaceFile: string): Promise<readonly string[]> {
    const command = [`--net=${namespaceFile}`, "ip", "-4", "-json", "address", "show", "dev", link];
    const links = JSON.parse(await succeed("nsenter", command)) as { addr_info: { local: string }[] }[];
    return links.flatMap(({ addr_info: found }) => found.map(({ local }) => local));
}

/** Names of the network interfaces in the switch, whose namespace is made if it is missing. */
async function linksOfSwitch(environment: string): Promise<readonly string[]> {
    const file = switchFile(environment);
    const list = await execute("nsenter", [`--net=${file}`, "ip", "-json", "link"]);
    if (list.code === 0) return (JSON.parse(list.stdout) as { ifname: string }[]).map(({ ifname }) => ifname);
    // Not made yet, or this machine was rebooted and only the file is left.
    writeFileSync(file, "");
    await succeed("unshare", [`--net=${file}`, "true"]);
    return [];
}
