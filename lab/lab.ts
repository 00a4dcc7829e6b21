import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { withLock } from "../toolchain/lock";
import { execute } from "./command";
import { publishKeys, unpublishKeys } from "./checkoutFiles";
import { ControlGroup } from "./controlGroup";
import { LabHost } from "./host";
import { imageDirectory, OPERATOR_PASSWORD } from "./image";
import { dropRoute, makeNetwork, removeNetwork } from "./network";
import { requireLabMachine } from "./prerequisites";
import { extendRecord, withExtraAddress, withOtherAddress } from "./reserve";
import { keyPair, publicHostKey, seedHost, userKeyFile } from "./seed";
import { validateEnvironmentName, validateSpec } from "./spec";
import type { LabHostSpec, LabSpec } from "./spec";
import {
    environmentDirectory,
    hostDirectory,
    listEnvironments,
    listHosts,
    lockFile,
    memoryDirectory,
    readEnvironment,
    writeEnvironment,
    writeWhole,
} from "./state";
import type { EnvironmentRecord } from "./state";

/** The users of every lab host. All of them log in with the environment's key. */
export const LAB_USERS = {
    root: { name: "root" },
    /** Its sudo asks for no password. */
    admin: { name: "admin" },
    /** May log in by its password, too, and its sudo asks for it. */
    operator: { name: "operator", password: OPERATOR_PASSWORD },
} as const;

/** An environment that is up: its hosts, and the keys to them. */
export class Lab {
    readonly users = LAB_USERS;

    constructor(
        readonly environment: string,
        /** All hosts of the environment, a bastion included. */
        readonly hosts: readonly LabHost[],
        readonly bastion: LabHost | undefined,
        /** OpenSSH's form, unencrypted. */
        readonly privateKey: string,
    ) {}

    get privateKeyFile(): string {
        return userKeyFile(this.environment);
    }

    get knownHostsFile(): string {
        return knownHostsFile(this.environment);
    }

    /** @throws when the environment has no such host */
    host(name: string): LabHost {
        const found = this.hosts.find((host) => host.name === name);
        if (found) return found;
        const known = this.hosts.map((host) => host.name).join(", ");
        throw new Error(`environment "${this.environment}" has no host "${name}": it has ${known}`);
    }

    /** Options for ssh(1) that log in to a host with the environment's key, through the bastion where there is one. */
    sshOptions(host: LabHost): readonly string[] {
        const own = [
            "-i",
            this.privateKeyFile,
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            `UserKnownHostsFile=${this.knownHostsFile}`,
        ];
        const options = [...own, "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR"];
        if (this.bastion === undefined || host.name === this.bastion.name) return options;
        return [...options, "-o", `ProxyCommand=ssh ${options.join(" ")} -W %h:%p root@${this.bastion.address}`];
    }

    /** Makes one more host and gives it; this Lab's `hosts` stay as they are. */
    async addHost(host: LabHostSpec): Promise<LabHost> {
        const lab = await openLab({ environment: this.environment, hosts: [host] });
        return lab.host(host.name);
    }

    /** Gives a host one more address, which it keeps over reboots. */
    async addAddress(hostName: string, address: string): Promise<void> {
        const record = await reserve(() => withExtraAddress(this.environment, hostName, address));
        await makeNetwork(record);
        await Promise.all(this.hosts.map((host) => host.applyAddresses()));
    }

    /**
     * Gives a host another address in the place of its own, at once and over reboots: whoever talks to the old one hears nothing more.
     * One that was added to it before will do. `host.address` is the new one from then on.
     */
    async readdress(hostName: string, address: string): Promise<void> {
        const host = this.host(hostName);
        const former = host.address;
        const record = await reserve(() => withOtherAddress(this.environment, hostName, address));
        await makeNetwork(record);
        await dropRoute(this.environment, former);
        host.address = address;
        await Promise.all(this.hosts.map((each) => each.applyAddresses()));
        await writeKnownHosts(record);
    }

    async down(): Promise<void> {
        await closeLab(this.environment);
    }

    /** Collects what one wants to read after a failure: each host's journal, units, firewall and etcd's files. */
    async diagnostics(directory: string): Promise<void> {
        await mkdir(directory, { recursive: true });
        await Promise.all(
            this.hosts.map(async (host) => writeFile(join(directory, `${host.name}.txt`), await host.diagnosis())),
        );
    }
}

/**
 * Brings an environment up: makes the hosts that are missing, starts those that are down, and takes back what was done to
 * the others (frozen, cut). Hosts that are there and not in the spec stay. Doing it twice, or after a run that was killed,
 * comes to the same.
 * @throws when this machine can't, the spec is wrong or contradicts what is there, or an address is taken
 */
export async function openLab(spec: LabSpec): Promise<Lab> {
    validateSpec(spec);
    await requireLabMachine();
    const image = await imageDirectory(spec.image ?? readEnvironment(spec.environment)?.image ?? "bookworm");
    return withLock(lockFile(`${spec.environment}.lock`), `makes lab "${spec.environment}"`, async () => {
        const before = readEnvironment(spec.environment);
        const record = await reserve(() => extendRecord(spec, image));
        await makeNetwork(record);
        await keyPair(userKeyFile(spec.environment), `lab ${spec.environment}`);
        await Promise.all(record.hosts.map((host) => seedHost(record, host)));
        await writeKnownHosts(record);
        publishKeys(spec.environment);
        const lab = await attachLab(spec.environment);
        if (before?.hosts.length !== lab.hosts.length)
            await Promise.all(lab.hosts.map((host) => host.applyAddresses()));
        await Promise.all(lab.hosts.map((host) => host.restore()));
        return lab;
    });
}

/**
 * An environment as it is, without changing anything about it.
 * @throws when it was never brought up
 */
export async function attachLab(environment: string): Promise<Lab> {
    validateEnvironmentName(environment);
    const record = readEnvironment(environment);
    if (!record) throw new Error(`environment "${environment}" is not there: npm run lab -- up ${environment}`);
    const hosts = await Promise.all(record.hosts.map((host) => LabHost.open(environment, host)));
    const bastion = hosts.find(({ name }) => name === record.bastion);
    return new Lab(environment, hosts, bastion, await readFile(userKeyFile(environment), "utf8"));
}

/** What `status` shows: every host of an environment, or of all. */
export function environmentStates(only?: string): readonly HostRow[] {
    return listEnvironments()
        .filter((environment) => only === undefined || environment === only)
        .flatMap((environment) => {
            const record = readEnvironment(environment);
            // A run that was killed early leaves a directory and nothing to tell about it.
            if (!record) return [{ environment, host: "-", address: "-", state: "half-made", role: "-", image: "-" }];
            return record.hosts.map((host) => ({
                environment,
                host: host.name,
                address: [host.address, ...host.extraAddresses].join(" "),
                state: new LabHost(environment, host, "").state(),
                role: host.name === record.bastion ? "bastion" : "host",
                image: record.image,
            }));
        });
}

export interface HostRow {
    readonly environment: string;
    readonly host: string;
    readonly address: string;
    readonly state: string;
    readonly role: string;
    readonly image: string;
}

/** Ends an environment and removes all of it, half-made ones included. One that is not there is fine. */
export async function closeLab(environment: string): Promise<void> {
    validateEnvironmentName(environment);
    await requireLabMachine();
    await withLock(lockFile(`${environment}.lock`), `removes lab "${environment}"`, async () => {
        await powerOff(environment);
        await removeNetwork(environment);
        new ControlGroup(environment).remove();
        await rm(memoryDirectory(environment), { recursive: true, force: true });
        await rm(environmentDirectory(environment), { recursive: true, force: true });
        unpublishKeys(environment);
    });
}

/** Also ends a host that a killed run has started and that has not come as far as its control group. */
async function powerOff(environment: string): Promise<void> {
    const locks = listHosts(environment)
        .map((host) => join(hostDirectory(environment, host), "power.lock"))
        .filter(existsSync);
    for (;;) {
        await new ControlGroup(environment).kill();
        const tries = await Promise.all(locks.map((lock) => execute("flock", ["--nonblock", lock, "true"])));
        if (tries.every(({ code }) => code === 0)) return;
    }
}

/** Writes what an environment is to be while no other one can take its addresses. */
function reserve(decide: () => Promise<EnvironmentRecord>): Promise<EnvironmentRecord> {
    return withLock(lockFile("addresses"), "looks for free addresses", async () => {
        const record = await decide();
        writeEnvironment(record);
        return record;
    });
}

function knownHostsFile(environment: string): string {
    return join(environmentDirectory(environment), "known_hosts");
}

async function writeKnownHosts(record: EnvironmentRecord): Promise<void> {
    const lines = await Promise.all(
        record.hosts.map(
            async ({ name, address }) => `${address},${name} ${await publicHostKey(record.environment, name)}\n`,
        ),
    );
    writeWhole(knownHostsFile(record.environment), lines.join(""));
}
