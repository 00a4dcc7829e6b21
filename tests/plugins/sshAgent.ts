import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

/** A throwaway ssh-agent. */
export interface SshAgent {
    readonly socket: string;
    readonly stop: () => Promise<void>;
}

/** Starts an agent that holds one key. */
export async function startSshAgent(privateKey: string): Promise<SshAgent> {
    const directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-agent-"));
    const socket = join(directory, "socket");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
    const gone = new Promise((resolve) => agent.once("exit", resolve));
    const deadline = Date.now() + 10_000;
    while (!existsSync(socket)) {
        if (agent.exitCode !== null || Date.now() > deadline) throw new Error("ssh-agent does not start");
        await pause(10);
    }
    const added = spawnSync("ssh-add", ["-q", "-"], {
        input: privateKey,
        env: { ...process.env, SSH_AUTH_SOCK: socket },
    });
    if (added.status !== 0) throw new Error(`ssh-add: ${added.stderr.toString()}`);
    return {
        socket,
        stop: async () => {
            agent.kill("SIGTERM");
            await gone;
            rmSync(directory, { recursive: true, force: true });
        },
    };
}
