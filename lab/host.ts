import { spawn } from "node:child_process";
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { execute } from "./command";
import type { CommandOptions, CommandResult } from "./command";
import { ControlGroup } from "./controlGroup";
import { setPort } from "./network";
import { until } from "./poll";
import { discardStorage, publicHostKey, seedHost, writeBootConfiguration } from "./seed";
import { hostDirectory, readEnvironment, storageDirectory } from "./state";
import type { EnvironmentRecord, HostRecord } from "./state";

/** systemd's signals to process 1. */
const POWER_OFF = 38; // SIGRTMIN+4
const REBOOT = 39; // SIGRTMIN+5
const BOOT_SECONDS = 60;
const SHUTDOWN_SECONDS = 100;

export type RunOptions = Pick<CommandOptions, "stdin" | "timeoutSeconds">;

/** One disposable host: a whole Debian with systemd as process 1 and an SSH server. */
export class LabHost {
    readonly name: string;
    readonly address: string;
    private readonly group: ControlGroup;

    constructor(
        readonly environment: string,
        record: HostRecord,
        /** As `ssh-ed25519 AAAA…`; stays the same when the host is rebuilt. */
        readonly publicHostKey: string,
    ) {
        this.name = record.name;
        this.address = record.address;
        this.group = new ControlGroup(environment, record.name);
    }

    static async open(environment: string, record: HostRecord): Promise<LabHost> {
        return new LabHost(environment, record, await publicHostKey(environment, record.name));
    }

    isRunning(): boolean {
        return this.group.isPopulated();
    }

    isFrozen(): boolean {
        return this.group.isFrozen();
    }

    /** Whether its cable is pulled. */
    isCut(): boolean {
        return existsSync(this.cutFile);
    }

    /**
     * Runs a shell command as root in the host, without SSH or network, so that it works whatever happened to those.
     * @throws when the host is down, or the command outlives its time (60 s by default)
     */
    async run(command: string, options: RunOptions = {}): Promise<CommandResult> {
        const init = await this.whenUp();
        // What nsenter starts has all of this machine's rights; the clock and the kernel are not the host's to change.
        const rights = ["--bounding-set", "-sys_time,-sys_module,-sys_rawio,-sys_boot"];
        const inside = ["setpriv", ...rights, "/bin/sh", "-c", command];
        const target = ["--target", String(init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
        return execute("nsenter", [...target, "--wdns=/root", "--", ...inside], {
            ...options,
            environment: GUEST_ENVIRONMENT,
        });
    }

    /** Like `run`, but an exit code other than 0 is an error. Returns the standard output. */
    async output(command: string, options: RunOptions = {}): Promise<string> {
        const { stdout, stderr, code } = await this.run(command, options);
        if (code === 0) return stdout;
        throw new Error(
            `host "${this.name}": "${command}" failed with exit code ${code}: ${(stderr || stdout).trim()}`,
        );
    }

    /** Boots it if it is down; returns when SSH answers. */
    async start(): Promise<void> {
        if (!this.isRunning()) await this.powerOn();
        await this.whenReady();
    }

    /** Shuts it down cleanly. */
    async stop(): Promise<void> {
        if (!this.isRunning()) return;
        process.kill(await this.whenUp(), POWER_OFF);
        await this.group.whenEmpty(SHUTDOWN_SECONDS);
    }

    /** Reboots it cleanly; returns when SSH answers again. */
    async reboot(): Promise<void> {
        const before = await this.whenUp();
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
        writeFileSync(this.cutFile, "");
        if (this.isRunning()) await setPort(this.environment, this.name, false);
    }

    /** Plugs the network cable in again. */
    async heal(): Promise<void> {
        rmSync(this.cutFile, { force: true });
        if (this.isRunning()) await setPort(this.environment, this.name, true);
    }

    /** A new host under the same name, address and host key, with nothing of the old one on it. */
    async rebuild(): Promise<void> {
        await this.kill();
        const record = this.environmentRecord();
        const storage = storageDirectory(this.environment, this.name, record.storage);
        await discardStorage(storage);
        await seedHost(record, this.hostRecord(record));
        await this.start();
    }

    /** Running, thawed, its cable plugged in, and SSH answers: whatever was done to it before. */
    async restore(): Promise<void> {
        if (this.isFrozen()) await this.thaw();
        if (this.isCut()) await this.heal();
        await this.start();
    }

    /** Text for a human: its console's end, failed units, journal, firewall, etcd's files. */
    async diagnosis(): Promise<string> {
        if (!this.isRunning()) return `down${this.consoleTail()}\n`;
        const sections = [
            "systemctl --failed",
            "nft list ruleset",
            "ls -lR /etc/etcd /var/lib/etcd",
            "journalctl --no-pager",
        ];
        const texts = sections.map(async (command) => {
            const { stdout, stderr } = await this.run(command);
            return `$ ${command}\n${stdout}${stderr}`;
        });
        return (await Promise.all(texts)).join("\n");
    }

    private async powerOn(): Promise<void> {
        const record = this.environmentRecord();
        const directory = hostDirectory(this.environment, this.name);
        mkdirSync(directory, { recursive: true });
        writeBootConfiguration(record, this.hostRecord(record), this.group.directory);
        // A copy: the checkout may be gone when the host reboots.
        copyFileSync(join(__dirname, "boot.sh"), join(directory, "boot.sh"));
        const console = openSync(this.consoleFile, "a");
        const supply = spawn("sh", [join(directory, "boot.sh"), directory], {
            cwd: "/",
            detached: true,
            stdio: ["ignore", console, console],
            env: GUEST_ENVIRONMENT,
        });
        closeSync(console);
        const failure = new Promise<never>((_, reject) => supply.once("error", reject));
        failure.catch(() => undefined);
        const ended = new Promise<void>((resolve) => supply.once("exit", () => resolve()));
        let over = false;
        void ended.then(() => (over = true));
        await Promise.race([
            failure,
            until(() => over || this.group.initProcess() !== undefined, {
                seconds: BOOT_SECONDS,
                everyMs: 5,
                message: () => `host "${this.name}" did not boot within ${BOOT_SECONDS} s${this.consoleTail()}`,
            }),
        ]);
        supply.unref();
        if (over) throw new Error(`host "${this.name}" does not boot${this.consoleTail()}`);
    }

    /** Waits until its SSH server answers, over the network where this machine reaches the host. */
    private async whenReady(): Promise<void> {
        const overNetwork = this.isReachable();
        await until(() => (overNetwork ? sshAnswers(this.address) : this.sshAnswersInside()), {
            seconds: BOOT_SECONDS,
            everyMs: 10,
            message: () => `host "${this.name}": no SSH server answered within ${BOOT_SECONDS} s${this.consoleTail()}`,
        });
    }

    private isReachable(): boolean {
        const { bastion } = this.environmentRecord();
        return !this.isCut() && (bastion === undefined || bastion === this.name);
    }

    private async sshAnswersInside(): Promise<boolean> {
        if (this.group.initProcess() === undefined) return false;
        return (await this.run("systemctl is-active --quiet ssh")).code === 0;
    }

    private async whenUp(): Promise<number> {
        if (!this.isRunning()) throw new Error(`host "${this.name}" is down: start it first`);
        return until(() => this.group.initProcess(), {
            seconds: BOOT_SECONDS,
            everyMs: 5,
            message: () => `host "${this.name}" did not boot within ${BOOT_SECONDS} s${this.consoleTail()}`,
        });
    }

    private environmentRecord(): EnvironmentRecord {
        const record = readEnvironment(this.environment);
        if (!record) throw new Error(`environment "${this.environment}" is down: bring it up first`);
        return record;
    }

    private hostRecord(record: EnvironmentRecord): HostRecord {
        const found = record.hosts.find(({ name }) => name === this.name);
        if (!found) throw new Error(`environment "${this.environment}" has no host "${this.name}"`);
        return found;
    }

    private get cutFile(): string {
        return join(hostDirectory(this.environment, this.name), "cut");
    }

    private get consoleFile(): string {
        return join(hostDirectory(this.environment, this.name), "console.log");
    }

    private consoleTail(): string {
        if (!existsSync(this.consoleFile)) return "";
        const lines = readFileSync(this.consoleFile, "utf8").trimEnd().split("\n").slice(-15);
        return `; the end of its console (${this.consoleFile}):\n${lines.join("\n")}`;
    }
}

const GUEST_ENVIRONMENT = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    LANG: "C.UTF-8",
};

/** Whether an SSH server greets us at the address. */
function sshAnswers(address: string): Promise<boolean> {
    return new Promise((resolve) => {
        const socket = connect({ host: address, port: 22 });
        const end = (answer: boolean) => {
            socket.destroy();
            resolve(answer);
        };
        socket.setTimeout(1000, () => end(false));
        socket.once("error", () => end(false));
        socket.once("close", () => resolve(false));
        socket.once("data", (data) => end(data.toString("latin1").startsWith("SSH-")));
    });
}
