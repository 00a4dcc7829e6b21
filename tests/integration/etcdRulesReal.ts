/** Real etcd on loopback, as one of the subjects whose answers are compared. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { toEtcdError } from "../../components/remote/etcdErrors";
import { etcdBinaries, type EtcdBinaries } from "../../toolchain";
import { freePort } from "../freePort";
import type { Answer, Subject } from "./etcdRulesSubject";

/** One that has not said a word for so long hangs: etcd's first line comes within tenths of a second. */
const SILENT_MS = 10_000;

interface Home {
    readonly name: string;
    readonly peerPort: number;
    readonly clientPort: number;
    flags: readonly string[];
    process: ChildProcess | undefined;
}

export class RealEtcd implements Subject {
    private readonly homes = new Map<string, Home>();
    private readonly directory = mkdtempSync(join(tmpdir(), "etcd-rules-"));

    private constructor(
        private readonly binaries: EtcdBinaries,
        /** That of 3.6 for all: older ones can't ask for one member's own list. */
        private readonly ctl: string,
    ) {}

    static async open(version: string, names: string): Promise<RealEtcd> {
        const real = new RealEtcd(await etcdBinaries(version), (await etcdBinaries("3.6")).etcdctl.path);
        for (const name of names) {
            const [peerPort, clientPort] = [await freePort(), await freePort()];
            real.homes.set(name, { name, peerPort, clientPort, flags: [], process: undefined });
        }
        return real;
    }

    get name(): string {
        return `etcd ${this.binaries.version}`;
    }

    get now(): number {
        return performance.now();
    }

    pass(): Promise<void> {
        return pause(50);
    }

    start(name: string, told: string, state: "new" | "existing", maxLearners: number | undefined): void {
        const home = this.home(name);
        const [peer, client] = [`http://127.0.0.1:${home.peerPort}`, `http://127.0.0.1:${home.clientPort}`];
        home.flags = [
            ...["--name", name, "--data-dir", this.data(name), "--logger", "zap"],
            ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
            ...["--listen-client-urls", client, "--advertise-client-urls", client],
            ...["--initial-cluster", [...told].map((other) => `${other}=${this.peerUrl(other)}`).join(",")],
            ...["--initial-cluster-state", state],
            ...(maxLearners === undefined ? [] : ["--max-learners", String(maxLearners)]),
        ];
        this.restart(name);
    }

    restart(name: string): void {
        const home = this.home(name);
        const log = openSync(this.log(name), "a");
        const child = spawn(this.binaries.etcd.path, home.flags, { stdio: ["ignore", log, log] });
        closeSync(log);
        home.process = child;
        const saidBefore = this.said(name).length;
        setTimeout(() => {
            if (!isOver(child) && this.said(name).length === saidBefore) this.endSilent(name, child);
        }, SILENT_MS).unref();
    }

    /** As its unit would end it. Where it hangs is printed: a test that goes on from there passes. */
    private endSilent(name: string, child: ChildProcess): void {
        const of = (file: string): string => readFileSync(`/proc/${child.pid}/${file}`, "utf8");
        const lines = of("status").match(/^(Name|State|Threads|Sig|Shd).*/gm) ?? [];
        const state = [...lines, `waits in ${of("wchan")}`].join("\n");
        child.once("exit", () =>
            console.log(`${name} of ${this.name} hung at its start:\n${state}\n${this.said(name)}`),
        );
        child.kill("SIGQUIT");
    }

    async stop(name: string): Promise<void> {
        const { process } = this.home(name);
        process?.kill("SIGKILL");
        while (process && !isOver(process)) await this.pass();
    }

    wipe(name: string): void {
        rmSync(this.data(name), { recursive: true });
    }

    hasData(name: string): boolean {
        return existsSync(join(this.data(name), "member", "wal"));
    }

    isOut(name: string): boolean {
        const { process } = this.home(name);
        return process !== undefined && isOver(process);
    }

    isNamed(via: string, name: string): boolean {
        return this.rows(via).some((row) => row[2] === name);
    }

    async hears(via: string, name: string): Promise<boolean> {
        const id = this.id(via, name);
        const metrics = await fetch(`http://127.0.0.1:${this.home(via).clientPort}/metrics`).then((got) => got.text());
        const active = new RegExp(`^etcd_network_active_peers\\{.*Remote="${id}"\\} (\\d+)`, "m").exec(metrics);
        return Number(active?.[1] ?? 0) > 0;
    }

    add(via: string, name: string): Answer {
        return this.ask(via, "member", "add", name, "--learner", "--peer-urls", this.peerUrl(name));
    }

    addVoter(via: string, name: string): Answer {
        return this.ask(via, "member", "add", name, "--peer-urls", this.peerUrl(name));
    }

    promote(via: string, name: string): Answer {
        return this.ask(via, "member", "promote", this.id(via, name));
    }

    remove(via: string, name: string): Answer {
        return this.ask(via, "member", "remove", this.id(via, name));
    }

    /** Past etcdctl, which asks nobody but the leader. */
    moveLeader(via: string, name: string): Answer {
        const url = `http://127.0.0.1:${this.home(via).clientPort}/v3/maintenance/transfer-leadership`;
        const body = JSON.stringify({ targetID: BigInt(`0x${this.id(via, name)}`).toString() });
        const script = `fetch(${JSON.stringify(url)}, { method: "POST", body: ${JSON.stringify(body)}, signal: AbortSignal.timeout(5000) })
            .then(async (answer) => answer.ok ? "" : answer.text(), () => "deadline exceeded")
            .then((said) => said && (console.error(said), process.exit(1)))`;
        const { status, stderr } = spawnSync(process.execPath, ["--eval", script], { encoding: "utf8" });
        return status === 0 ? "ok" : toEtcdError(via, "move the lead", stderr).code;
    }

    update(via: string, name: string, to: string): Answer {
        return this.ask(via, "member", "update", this.id(via, name), "--peer-urls", this.peerUrl(to));
    }

    list(via: string): readonly string[] {
        const found = this.rows(via).map((row) => {
            const name = [...this.homes.keys()].find((other) => this.peerUrl(other) === row[3]);
            return `${name}${row[5] === "true" ? " learns" : " votes"}`;
        });
        return found.sort();
    }

    account(): string {
        const begun = [...this.homes.keys()].filter((name) => existsSync(this.log(name)));
        return begun.map((name) => `${name} ${this.fate(name)}, and said last:\n${this.lastLines(name)}`).join("\n");
    }

    async close(): Promise<void> {
        for (const name of this.homes.keys()) await this.stop(name);
        rmSync(this.directory, { recursive: true });
    }

    private home(name: string): Home {
        return this.homes.get(name)!;
    }

    private data(name: string): string {
        return join(this.directory, name);
    }

    private log(name: string): string {
        return join(this.directory, `${name}.log`);
    }

    private said(name: string): string {
        return readFileSync(this.log(name), "utf8");
    }

    private lastLines(name: string): string {
        return this.said(name).trimEnd().split("\n").slice(-5).join("\n");
    }

    private fate(name: string): string {
        const { process } = this.home(name);
        if (!process || !isOver(process)) return "runs";
        return `ended with ${process.signalCode ?? `status ${process.exitCode}`}`;
    }

    private peerUrl(name: string): string {
        return `http://127.0.0.1:${this.home(name).peerPort}`;
    }

    /** Ids of members that are gone are remembered: what etcd says about them is of interest, too. */
    private readonly ids = new Map<string, string>();

    private id(via: string, name: string): string {
        const row = this.rows(via).find((columns) => columns[3] === this.peerUrl(name));
        if (row) this.ids.set(name, row[0]!);
        return this.ids.get(name)!;
    }

    /** As that one member knows it: id, status, name, peer URLs, client URLs, whether it learns. */
    private rows(via: string): readonly (readonly string[])[] {
        const { stdout } = this.etcdctl(via, ["member", "list", "--consistency", "s"]);
        const lines = stdout.split("\n").filter((line) => line.includes(","));
        return lines.map((line) => line.split(",").map((column) => column.trim()));
    }

    private ask(via: string, ...args: readonly string[]): Answer {
        const { status, stderr } = this.etcdctl(via, args);
        return status === 0 ? "ok" : toEtcdError(via, args.join(" "), stderr).code;
    }

    private etcdctl(via: string, args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
        const endpoint = `http://127.0.0.1:${this.home(via).clientPort}`;
        const flags = ["--endpoints", endpoint, "--command-timeout", "5s", "--dial-timeout", "5s"];
        return spawnSync(this.ctl, [...flags, ...args], {
            encoding: "utf8",
            env: { ETCDCTL_API: "3" },
        });
    }
}

function isOver(process: ChildProcess): boolean {
    return process.exitCode !== null || process.signalCode !== null;
}
