/** One etcd on this machine's loopback, without TLS, for tests of the workload itself. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { etcdBinaries, type EtcdBinaries } from "../../../toolchain";
import { freePort } from "../../freePort";
import { eventually } from "../../integration/fixture";

export class LoopbackEtcd {
    private process: ChildProcess | undefined;

    private constructor(
        private readonly binaries: EtcdBinaries,
        private readonly directory: string,
        readonly endpoint: string,
        private readonly peerUrl: string,
    ) {}

    static async start(): Promise<LoopbackEtcd> {
        const [client, peer] = await Promise.all([freePort(), freePort()]);
        const directory = mkdtempSync(join(tmpdir(), "workload-etcd-"));
        const etcd = new LoopbackEtcd(
            await etcdBinaries("3.6"),
            directory,
            `http://127.0.0.1:${client}`,
            `http://127.0.0.1:${peer}`,
        );
        await etcd.start();
        return etcd;
    }

    /** Settles when it answers. */
    async start(): Promise<void> {
        const flags = {
            name: "lone",
            "data-dir": join(this.directory, "data"),
            "listen-client-urls": this.endpoint,
            "advertise-client-urls": this.endpoint,
            "listen-peer-urls": this.peerUrl,
            "initial-advertise-peer-urls": this.peerUrl,
            "initial-cluster": `lone=${this.peerUrl}`,
            "log-level": "error",
        };
        const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
        this.process = spawn(this.binaries.etcd.path, args, { stdio: "ignore" });
        await eventually("etcd answers", 30, async () => {
            const { ok, status } = await fetch(`${this.endpoint}/readyz`);
            if (!ok) throw new Error(`it says ${status}`);
        });
    }

    /** At once, as a power cut would. */
    async kill(): Promise<void> {
        const child = this.process;
        if (!child || child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once("close", resolve));
        child.kill("SIGKILL");
        await ended;
    }

    freeze(): void {
        this.process?.kill("SIGSTOP");
    }

    thaw(): void {
        this.process?.kill("SIGCONT");
    }

    /** @throws with what it said */
    etcdctl(...args: readonly string[]): void {
        const { status, stderr } = spawnSync(this.binaries.etcdctl.path, ["--endpoints", this.endpoint, ...args], {
            encoding: "utf8",
        });
        if (status !== 0) throw new Error(`etcdctl ${args.join(" ")} failed: ${stderr}`);
    }

    /** Of its data; it must not run. */
    keepCopy(): void {
        cpSync(join(this.directory, "data"), join(this.directory, "copy"), { recursive: true });
    }

    /** What was written since the copy was taken is lost. */
    putCopyBack(): void {
        rmSync(join(this.directory, "data"), { recursive: true });
        cpSync(join(this.directory, "copy"), join(this.directory, "data"), { recursive: true });
    }

    async remove(): Promise<void> {
        await this.kill();
        rmSync(this.directory, { recursive: true, force: true });
    }
}
