import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import {
    appendFileSync,
    chmodSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readFileSync,
    rmSync,
    writeFileSync,
} from "node:fs";
import { createConnection, createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const sshd = "/usr/sbin/sshd";

/** A throwaway sshd on loopback that lets the user who runs it in by key. */
export interface SshServer {
    readonly port: number;
    readonly user: string;
    /** Private keys that may log in; the second one is encrypted with `passphrase`. */
    readonly privateKey: string;
    readonly encryptedKey: string;
    readonly passphrase: string;
    /** The server's public key, as in `known_hosts`. */
    readonly hostKey: string;
    /** A public key of the same type that is not the server's, and the private key to it, which nobody lets in. */
    readonly foreignKey: string;
    readonly strangerKey: string;
    /** An empty directory for what commands write. */
    readonly scratch: string;
    /** How many connections were accepted for login so far. */
    readonly logins: () => number;
    readonly stop: () => Promise<void>;
}

/** Starts the server. On Debian, root gets it installed when it is missing. */
/** @param variables that it takes from its clients */
export async function startSshServer(variables = "GREETING PULUMI_COMMAND_*"): Promise<SshServer> {
    ensureSshd();
    const directory = mkdtempSync(join(tmpdir(), "pulumi-etcd-sshd-"));
    const passphrase = "open sesame";
    const key = (name: string, secret = ""): string => makeKey(join(directory, name), secret);
    const [host, login, encrypted, foreign] = [key("host"), key("login"), key("encrypted", passphrase), key("foreign")];
    const scratch = join(directory, "scratch");
    mkdirSync(scratch);
    const authorized = join(directory, "authorized_keys");
    for (const file of [login, encrypted]) appendFileSync(authorized, readFileSync(`${file}.pub`));
    chmodSync(authorized, 0o600);
    const port = await freePort();
    const config = join(directory, "sshd_config");
    writeFileSync(config, serverConfig(port, host, authorized, variables));
    const log = join(directory, "log");
    const server = spawn(sshd, ["-D", "-e", "-f", config, "-E", log], { stdio: "ignore" });
    await untilListening(port, server, log);
    return {
        port,
        user: userInfo().username,
        privateKey: readFileSync(login, "utf8"),
        encryptedKey: readFileSync(encrypted, "utf8"),
        passphrase,
        hostKey: publicKey(host),
        foreignKey: publicKey(foreign),
        strangerKey: readFileSync(foreign, "utf8"),
        scratch,
        logins: () => readFileSync(log, "utf8").split("Accepted publickey").length - 1,
        stop: async () => {
            await end(server);
            rmSync(directory, { recursive: true, force: true });
        },
    };
}

/** A loopback port where nothing listens. */
export async function freePort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
}

function ensureSshd(): void {
    if (!existsSync(sshd)) {
        if (process.getuid?.() !== 0) throw new Error(`${sshd} is missing: install openssh-server`);
        execFileSync("apt-get", ["install", "-y", "--no-install-recommends", "openssh-server"], { stdio: "pipe" });
    }
    // sshd's own unprivileged half lives there; the system's unit would have made it.
    if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
}

function makeKey(file: string, passphrase: string): string {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", passphrase, "-C", "test", "-f", file]);
    return file;
}

function publicKey(file: string): string {
    return readFileSync(`${file}.pub`, "utf8").trim();
}

function serverConfig(port: number, hostKey: string, authorizedKeys: string, variables: string): string {
    return [
        `ListenAddress 127.0.0.1:${port}`,
        `HostKey ${hostKey}`,
        `AuthorizedKeysFile ${authorizedKeys}`,
        // The shell must not read the user's own start-up files: what they write would be in every command's output.
        `SetEnv HOME=${dirname(authorizedKeys)}`,
        "StrictModes no",
        "UsePAM no",
        "PidFile none",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        `AcceptEnv ${variables}`,
        "AllowTcpForwarding yes",
        "MaxStartups 100",
        "",
    ].join("\n");
}

async function untilListening(port: number, server: ChildProcess, log: string): Promise<void> {
    const deadline = Date.now() + 10_000;
    while (!(await accepts(port))) {
        if (server.exitCode !== null || Date.now() > deadline) {
            throw new Error(
                `sshd does not listen on port ${port}: ${existsSync(log) ? readFileSync(log, "utf8") : ""}`,
            );
        }
        await pause(20);
    }
}

function accepts(port: number): Promise<boolean> {
    return new Promise((resolve) => {
        const socket = createConnection(port, "127.0.0.1");
        socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
        socket.once("connect", () => socket.destroy());
    });
}

async function end(process: ChildProcess): Promise<void> {
    if (process.exitCode !== null) return;
    const gone = new Promise((resolve) => process.once("exit", resolve));
    process.kill("SIGTERM");
    await gone;
}
