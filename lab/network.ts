import { createHash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";

import { execute, succeed } from "./command";
import { subnetOf } from "./spec";
import type { EnvironmentRecord } from "./state";

/**
 * An environment's network: one bridge ("lab"), in a network namespace of its own, where neither this machine's firewall
 * nor another environment's has a say; each host's cable ends there, and so does one cable of this machine (the uplink).
 * Hosts have no default route, and this machine has a route to each single host: nothing is forwarded anywhere.
 */
export function switchNamespace(environment: string): string {
    return `lab-${environment}`;
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
    const namespace = switchNamespace(record.environment);
    const uplink = uplinkName(record.environment);
    await makeNamespace(namespace);
    const inside = await linkNames(namespace);
    if (!inside.includes("lab")) {
        await ipBatch(["link set lo up", "link add lab type bridge", "link set lab up"], namespace);
    }
    if (!inside.includes("uplink")) {
        await ipBatch([`link add ${uplink} type veth peer name uplink netns ${namespace}`]);
    }
    await ipBatch(["link set uplink master lab up"], namespace);
    await ipBatch([
        `link set ${uplink} up`,
        `address replace ${record.gateway}/32 dev ${uplink}`,
        ...reachableHosts(record).map(
            ({ address }) => `route replace ${address}/32 dev ${uplink} scope link src ${record.gateway}`,
        ),
    ]);
}

/** The hosts that this machine reaches directly: all, or only the bastion where there is one. */
export function reachableHosts(record: EnvironmentRecord): EnvironmentRecord["hosts"] {
    if (record.bastion === undefined) return record.hosts;
    return record.hosts.filter(({ name }) => name === record.bastion);
}

/** Every network that some address of the environment is in. */
export function subnets(record: EnvironmentRecord): readonly string[] {
    const addresses = record.hosts.flatMap(({ address, extraAddresses }) => [address, ...extraAddresses]);
    return [...new Set([record.gateway, ...addresses].map(subnetOf))];
}

export async function removeNetwork(environment: string): Promise<void> {
    const namespace = switchNamespace(environment);
    await execute("ip", ["link", "delete", uplinkName(environment)]);
    if (!existsSync(`/run/netns/${namespace}`)) return;
    await execute("ip", ["netns", "delete", namespace]);
    rmSync(`/run/netns/${namespace}`, { force: true });
}

/** Sets the host's port on the switch up or down, like a cable that is plugged in or pulled. */
export async function setPort(environment: string, host: string, up: boolean): Promise<void> {
    await succeed("ip", ["-netns", switchNamespace(environment), "link", "set", portName(host), up ? "up" : "down"]);
}

/** Runs `ip` commands in one go, the first that fails ends them. */
export async function ipBatch(lines: readonly string[], namespace?: string): Promise<void> {
    if (lines.length === 0) return;
    await succeed("ip", [...(namespace ? ["-netns", namespace] : []), "-batch", "-"], {
        stdin: `${lines.join("\n")}\n`,
    });
}

async function makeNamespace(namespace: string): Promise<void> {
    const file = `/run/netns/${namespace}`;
    if (existsSync(file)) {
        if ((await execute("ip", ["-netns", namespace, "link", "show", "lo"])).code === 0) return;
        // The file outlived its namespace: this machine was rebooted.
        rmSync(file);
    }
    await succeed("ip", ["netns", "add", namespace]);
}

async function linkNames(namespace: string): Promise<readonly string[]> {
    const text = await succeed("ip", ["-netns", namespace, "-json", "link"]);
    return (JSON.parse(text) as { ifname: string }[]).map(({ ifname }) => ifname);
}
