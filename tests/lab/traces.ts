import { existsSync, readdirSync, readFileSync } from "node:fs";

import { execute, succeed } from "../../lab/command";
import { ControlGroup } from "../../lab/controlGroup";
import { uplinkName } from "../../lab/network";
import { environmentDirectory, memoryDirectory } from "../../lab/state";

/** Everything on this machine that belongs to an environment, one line each. Empty when it is gone. */
export async function tracesOf(environment: string): Promise<readonly string[]> {
    const directories = [
        environmentDirectory(environment),
        memoryDirectory(environment),
        new ControlGroup(environment).directory,
        `.lab/${environment}`,
    ];
    const uplink = uplinkName(environment);
    return [
        ...directories.filter(existsSync).map((directory) => `directory ${directory}`),
        ...(await links(uplink)),
        ...(await routes(uplink)),
        ...(await loopDevices(environmentDirectory(environment))),
        ...processTraces(`${environmentDirectory(environment)}/`),
    ];
}

async function links(uplink: string): Promise<readonly string[]> {
    return (await execute("ip", ["link", "show", "dev", uplink])).code === 0 ? [`link ${uplink}`] : [];
}

async function routes(uplink: string): Promise<readonly string[]> {
    const text = await succeed("ip", ["route", "show", "table", "all"]);
    return text.split("\n").filter((route) => route.includes(uplink));
}

async function loopDevices(directory: string): Promise<readonly string[]> {
    const text = await succeed("losetup", ["--all"]);
    return text.split("\n").filter((device) => device.includes(directory));
}

/** Processes that were started for it, and mounts in any process's namespace; those hold network namespaces, too. */
function processTraces(path: string): readonly string[] {
    const traces = new Set<string>();
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        const command = readProcess(pid, "cmdline").replaceAll("\0", " ").trim();
        if (command.includes(path)) traces.add(`process ${pid}: ${command}`);
        for (const mount of readProcess(pid, "mountinfo").split("\n")) {
            if (mount.includes(path)) traces.add(`mount ${mount.split(" ")[4]} of process ${pid}`);
        }
    }
    return [...traces];
}

function readProcess(pid: string, file: string): string {
    try {
        return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
        // It ended in the meantime.
        return "";
    }
}
