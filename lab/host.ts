import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { execute, succeed } from "./command";
import { ControlGroup } from "./controlGroup";
import { Guest, GUEST_ENVIRONMENT } from "./guest";
import { takesLogins } from "./logins";
import { addressesOf, ipBatch, portName, subnets, switchFile } from "./network";
import { clearPartition, setPartition } from "./partition";
import type { Direction } from "./partition";
import { until } from "./poll";
import { requirePrograms } from "./prerequisites";
import { discardStorage, publicHostKey, seedHost, writeBootConfiguration } from "./seed";
import { hostDirectory, readEnvironment, storageDirectory, writeWhole } from "./state";
import type { EnvironmentRecord, HostRecord } from "./state";

/** systemd's signals to process 1. */
const POWER_OFF = 38; // SIGRTMIN+4
const REBOOT = 39; // SIGRTMIN+5
const BOOT_SECONDS = 60;
const SHUTDOWN_SECONDS = 100;
/** boot.sh's exit code when another one holds the host. */
const ALREADY_POWERED = 75;

export interface Delay {
    /** Milliseconds that each frame takes longer, in each direction. */
    readonly ms: number;
    /** Up to this much more or less, at random; frames keep their order. @default 0 */
    readonly jitterMs?: number;
    /** How many of a hundred frames are lost, in each direction. @default 0 */
    readonly lossPercent?: number;
}

/** Each is a file in the host's directory while it lasts; worst first. */
const NETWORK_FAULTS = ["cut", "partition", "delay"] as const;
type NetworkFault = (typeof NETWORK_FAULTS)[number];

export type HostState = "down" | "frozen" | NetworkFault | "up";

/** One disposable host: a whole Debian with systemd as process 1 and an SSH server. */
export class LabHost extends Guest {
    /** Its own; `Lab.readdress` changes it. */
    address: string;
    private readonly group: ControlGroup;
    private readonly directory: string;

    constructor(
        readonly environment: string,
        record: HostRecord,
        /** As `ssh-ed25519 AAAA…`; stays the same when the host is rebuilt. */
        readonly publicHostKey: string,
    ) {
        super(record.name);
        this.address = record.address;
        this.group = new ControlGroup(environment, record.name);
        this.directory = hostDirectory(environment, record.name);
    }

    static async open(environment: string, record: HostRecord): Promise<LabHost> {
        return new LabHost(environment, record, await publicHostKey(environment, record.name));
    }

    isRunning(): boolean {
        return this.group.isPopulated();
    }

    /** The first that applies, worst first. */
    state(): HostState {
        if (!this.isRunning()) return "down";
        if (this.group.isFrozen()) return "frozen";
        return this.networkFault() ?? "up";
    }

    /** Boots it if it is down; returns when it takes logins. */
    async start(): Promise<void> {
        if (!this.isRunning()) await this.powerOn();
        await this.whenReady();
    }

    /** Shuts it down cleanly. */
    async stop(): Promise<void> {
        if (!this.isRunning()) return;
        process.kill(await this.initThatObeys(), POWER_OFF);
        await this.group.whenEmpty(SHUTDOWN_SECONDS);
    }

    /** Reboots it cleanly; returns when it takes logins again. */
    async reboot(): Promise<void> {
        const before = await this.initThatObeys();
        process.kill(before, REBOOT);
        await until(() => this.group.initProcess() !== before, {
            seconds: SHUTDOWN_SECONDS,
            message: () => `host "${this.name}" did not shut down within ${SHUTDOWN_SECONDS} s${this.consoleTail()}`,
        });
        await this.whenReady();
    }

    /**
     * Ends all its processes at once, without a warning to any. Unlike a power cut, what they wrote but did not fsync is
     * kept, because this machine's kernel holds it.
     */
    async kill(): Promise<void> {
        await this.group.kill();
    }

    /** Stops all its processes where they are: connections stay open and nothing answers. */
    async freeze(): Promise<void> {
        await this.group.setFrozen(true);
    }

    async thaw(): Promise<void> {
        await this.group.setFrozen(false);
    }

    /** Pulls the network cable; it stays pulled over reboots. */
    async cut(): Promise<void> {
        writeFileSync(this.file("cut"), "");
        await this.applyCable();
    }

    /** Makes the network slow, until `clearDelay`; over reboots, too. */
    async delay({ ms, jitterMs = 0, lossPercent = 0 }: Delay): Promise<void> {
        await requirePrograms(["prove"]);
        writeFileSync(this.file("delay"), `${ms} ${jitterMs} ${lossPercent}\n`);
        await this.applyCable();
    }

    async clearDelay(): Promise<void> {
        rmSync(this.file("delay"), { force: true });
        await this.applyCable();
    }

    /**
     * Drops what this host and the given addresses send each other (or one direction of it, seen from this host), until
     * `heal`; over reboots, too. Another call replaces this one.
     */
    async partitionFrom(addresses: readonly string[], direction: Direction = "both"): Promise<void> {
        const { address, extraAddresses } = this.record();
        writeFileSync(this.file("partition"), `${addresses.join(" ")}\n`);
        const own = [address, ...extraAddresses];
        await setPartition(switchFile(this.environment), portName(this.name), own, addresses, direction);
    }

    /** Ends everything that was done to its network: plugs the cable in, without a delay or a partition. */
    async heal(): Promise<void> {
        await clearPartition(switchFile(this.environment), portName(this.name));
        for (const fault of NETWORK_FAULTS) rmSync(this.file(fault), { force: true });
        await this.applyCable();
    }

    /** A new host under the same name, address and host key, with nothing of the old one on it. */
    async rebuild(): Promise<void> {
        await this.kill();
        const { storage } = this.environmentRecord();
        await discardStorage(storageDirectory(this.environment, this.name, storage));
        await seedHost(this.environmentRecord(), this.record());
        await this.start();
    }

    /** Running, thawed, its network whole, and open for logins: whatever was done to it before. */
    async restore(): Promise<void> {
        if (this.group.isFrozen()) await this.thaw();
        if (this.networkFault() !== undefined) await this.heal();
        await this.start();
    }

    /** Takes over addresses and neighbouring networks that changed in the environment while it runs. */
    async applyAddresses(): Promise<void> {
        const own = this.record();
        this.writeBootConfiguration();
        if (!this.isRunning()) return;
        const namespace = `/proc/${await this.whenUp()}/ns/net`;
        const wanted = [own.address, ...own.extraAddresses];
        const there = await addressesOf("host0", namespace);
        // A network's other addresses may go with its first one: those that stay are added again.
        const lines = [
            ...wanted.map((address) => `address replace ${address}/24 dev host0`),
            ...there
                .filter((address) => !wanted.includes(address))
                .map((address) => `address delete ${address}/24 dev host0`),
            ...wanted.map((address) => `address replace ${address}/24 dev host0`),
            ...subnets(this.environmentRecord()).map(
                (subnet) => `route replace ${subnet} dev host0 scope link src ${own.address}`,
            ),
        ];
        await ipBatch(lines, namespace);
    }

    /** Text for a human: its console's end, failed units, firewall, etcd's files, journal. */
    async diagnosis(): Promise<string> {
        if (!this.isRunning()) return `down${this.consoleTail()}\n\n${await this.journalOnDisk()}`;
        const commands = ["systemctl --failed", "nft list ruleset", "ls -lR /etc/etcd /var/lib/etcd", "journalctl"];
        const texts = commands.map(async (command) => {
            const shown = this.run(`${command} 2>&1`, { timeoutSeconds: 15 });
            const text = await shown.then(({ stdout }) => stdout).catch((error: Error) => `${error.message}\n`);
            return `$ ${command}\n${text}`;
        });
        return `${this.state()}\n\n${(await Promise.all(texts)).join("\n")}`;
    }

    protected override async whenUp(): Promise<number> {
        const initIfOn = () => {
            if (this.isRunning()) return this.group.initProcess();
            throw new Error(`host "${this.name}" is down: start it first`);
        };
        return until(initIfOn, {
            seconds: BOOT_SECONDS,
            everyMs: 5,
            message: () => `host "${this.name}" did not boot within ${BOOT_SECONDS} s${this.consoleTail()}`,
        });
    }

    private async initThatObeys(): Promise<number> {
        if (this.group.isFrozen()) throw new Error(`host "${this.name}" is frozen: thaw it first, or kill it`);
        return this.whenUp();
    }

    private async powerOn(): Promise<void> {
        this.writeBootConfiguration();
        this.copyScripts();
        const console = openSync(this.file("console.log"), "a");
        const supply = spawn("sh", [this.file("boot.sh"), this.directory], {
            cwd: "/",
            detached: true,
            stdio: ["ignore", console, console],
            env: GUEST_ENVIRONMENT,
        });
        closeSync(console);
        let ended: string | undefined;
        supply.once("error", (error) => (ended = error.message));
        supply.once("exit", (code) => {
            if (code !== ALREADY_POWERED) ended = `exit code ${code}`;
        });
        await until(() => ended !== undefined || this.group.initProcess() !== undefined, {
            seconds: BOOT_SECONDS,
            everyMs: 5,
            message: () => `host "${this.name}" did not boot within ${BOOT_SECONDS} s${this.consoleTail()}`,
        });
        supply.unref();
        if (ended) throw new Error(`host "${this.name}" does not boot (${ended})${this.consoleTail()}`);
    }

    private async whenReady(): Promise<void> {
        await until(() => this.takesLogins(), {
            seconds: BOOT_SECONDS,
            everyMs: 10,
            message: () => `host "${this.name}" took no logins within ${BOOT_SECONDS} s${this.consoleTail()}`,
        });
    }

    private takesLogins(): boolean {
        const init = this.group.initProcess();
        return init !== undefined && takesLogins(init);
    }

    private writeBootConfiguration(): void {
        writeBootConfiguration(this.environmentRecord(), this.record(), this.group.directory);
    }

    /** The checkout may be gone when the host reboots. */
    private copyScripts(): void {
        for (const script of ["boot.sh", "cable.sh", "relay.pl"]) {
            // A shell reads its script as it goes: one that runs must keep its own.
            writeWhole(this.file(script), readFileSync(join(__dirname, script), "utf8"));
        }
    }

    private async applyCable(): Promise<void> {
        if (!this.isRunning()) return;
        await this.whenUp();
        this.copyScripts();
        const inSwitch = [`--net=${switchFile(this.environment)}`];
        await succeed("nsenter", [...inSwitch, "sh", this.file("cable.sh"), this.directory]);
    }

    /** What a host that is down wrote until then. */
    private async journalOnDisk(): Promise<string> {
        const { storage } = this.environmentRecord();
        const directory = join(storageDirectory(this.environment, this.name, storage), "upper/var/log/journal");
        return (await execute("journalctl", ["--no-pager", "--directory", directory])).stdout;
    }

    private networkFault(): NetworkFault | undefined {
        return NETWORK_FAULTS.find((fault) => existsSync(this.file(fault)));
    }

    private environmentRecord(): EnvironmentRecord {
        const record = readEnvironment(this.environment);
        if (!record) throw new Error(`environment "${this.environment}" is down: bring it up first`);
        return record;
    }

    private record(): HostRecord {
        const found = this.environmentRecord().hosts.find(({ name }) => name === this.name);
        if (!found) throw new Error(`environment "${this.environment}" has no host "${this.name}"`);
        return found;
    }

    private file(name: string): string {
        return join(this.directory, name);
    }

    private consoleTail(): string {
        const file = this.file("console.log");
        if (!existsSync(file)) return "";
        const lines = readFileSync(file, "utf8").trimEnd().split("\n").slice(-15);
        return `; the end of its console (${file}):\n${lines.join("\n")}`;
    }
}
