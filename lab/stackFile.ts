import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";

import { parse } from "yaml";

import { allHosts } from "./spec";
import type { LabHostSpec, LabSpec } from "./spec";

/** The configuration file of a stack of this checkout. */
export function stackFile(stack: string): string {
    return join(resolve(__dirname, ".."), `Pulumi.${stack}.yaml`);
}

/** `lab` for `…/Pulumi.lab.yaml`; undefined for a file with another name. */
export function stackOfFile(file: string): string | undefined {
    return /^Pulumi\.(.+)\.ya?ml$/.exec(basename(file))?.[1];
}

/**
 * The hosts that a stack's configuration declares, as an environment named like the stack.
 * @throws when there is no such file, or it declares none
 */
export function readStackFile(stack: string, file = stackFile(stack)): LabSpec {
    if (!existsSync(file)) {
        throw new Error(`stack "${stack}" has no configuration: ${file} is missing; create it, or pass --hosts`);
    }
    const found = collectHosts(parse(readFileSync(file, "utf8")));
    if (allHosts(found).length === 0) {
        throw new Error(
            `${file} declares no hosts: none of its lists called "hosts" has entries with name and address`,
        );
    }
    return { environment: stack, ...found };
}

/**
 * Whatever in a configuration is a list called `hosts` of things with a name and an address, however deep, and a thing
 * called `bastion` with an address. A key may carry its project's name, such as `pulumi-etcd:hosts`.
 */
export function collectHosts(configuration: unknown): Pick<LabSpec, "hosts" | "bastion"> {
    const hosts: LabHostSpec[] = [];
    let bastion: LabHostSpec | undefined;
    visit(configuration, (key, value) => {
        const name = key.split(":").at(-1);
        if (name === "hosts" && Array.isArray(value)) hosts.push(...value.filter(isHost).map(plain));
        if (name === "bastion" && isBastion(value)) bastion = { name: value.name ?? "bastion", address: value.address };
    });
    // A host with two clusters on it is declared twice, and a host may be the bastion, too.
    const all = distinct(bastion ? [...hosts, bastion] : hosts);
    const own = all.filter((host) => bastion === undefined || host.address !== bastion.address);
    const named = all.find((host) => host.address === bastion?.address);
    return { hosts: own, ...(named ? { bastion: named } : {}) };
}

function visit(value: unknown, see: (key: string, value: unknown) => void): void {
    if (typeof value !== "object" || value === null) return;
    for (const [key, child] of Object.entries(value)) {
        see(key, child);
        visit(child, see);
    }
}

function isHost(value: unknown): value is LabHostSpec {
    const { name, address } = (value ?? {}) as Record<string, unknown>;
    return typeof name === "string" && typeof address === "string";
}

function isBastion(value: unknown): value is { name?: string; address: string } {
    const { name, address } = (value ?? {}) as Record<string, unknown>;
    return typeof address === "string" && (name === undefined || typeof name === "string");
}

function plain({ name, address }: LabHostSpec): LabHostSpec {
    return { name, address };
}

function distinct(hosts: readonly LabHostSpec[]): readonly LabHostSpec[] {
    return hosts.filter(
        (host, index) =>
            hosts.findIndex(({ name, address }) => name === host.name && address === host.address) === index,
    );
}

/** The etcd version that a stack's configuration declares, if it declares one. */
export function declaredVersion(stack: string, file = stackFile(stack)): string | undefined {
    if (!existsSync(file)) return undefined;
    const { config } = (parse(readFileSync(file, "utf8")) ?? {}) as { config?: Record<string, unknown> };
    const version = Object.entries(config ?? {}).find(([key]) => key.endsWith(":version"))?.[1];
    return typeof version === "string" ? version : undefined;
}
