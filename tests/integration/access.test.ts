import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { EtcdClusterArgs, SshArgs } from "../../components";
import type { Lab } from "../../lab";
import { succeed } from "../../lab/command";
import { refusalOf } from "./diagnostics";
import { etcdctl, openBed, startTimes, voters, type Bed } from "./fixture";
import { Project, type Run } from "./project";
import { watchHosts } from "./untouched";

/** What must never be readable anywhere. */
const PASSPHRASE = "a passphrase for a test";

describe("hosts that are logged in to in every way there is", () => {
    let bed: Bed;
    let project: Project;
    let agent: Agent;
    let clusters: Readonly<Record<string, EtcdClusterArgs>>;
    let run: Run;

    /** Each is a cluster of one, on a host of its own. */
    const places: Readonly<Record<string, string>> = {
        passphrase: "a",
        sudo: "b",
        password: "c",
        agent: "d",
        port: "e",
        unchecked: "f",
        direct: "g",
    };
    const hostOf = (cluster: string) => bed.lab.host(places[cluster]!);

    before(async () => {
        bed = await openBed("it-access", "10.82.1", 7);
        project = await Project.open();
        agent = await startAgent(bed.lab.privateKeyFile);
        await hostOf("port").output("echo 'Port 2222' > /etc/ssh/sshd_config.d/port.conf; systemctl restart ssh");
        await hostOf("direct").output(
            "echo 'AllowTcpForwarding no' > /etc/ssh/sshd_config.d/forward.conf; systemctl restart ssh",
        );
        const { operator } = bed.lab.users;
        clusters = {
            passphrase: declare("passphrase", {
                privateKey: await encryptedKey(bed.lab, project.directory),
                passphrase: PASSPHRASE,
            }),
            sudo: declare("sudo", { user: "admin" }),
            password: declare("password", {
                user: operator.name,
                password: operator.password,
                sudoPassword: operator.password,
                privateKey: undefined,
            }),
            agent: declare("agent", { agentSocket: agent.socket, privateKey: undefined }),
            port: declare("port", { port: 2222 }),
            unchecked: declare("unchecked", { insecureSkipHostKeyCheck: true, hostKeys: {} }),
            direct: {
                ...declare("direct", {}),
                access: "direct",
                clients: [{ name: "operators", addresses: ["10.82.1.0/24"] }],
            },
        };
        run = await project.mustUp(clusters);
    });

    after(async () => {
        agent.stop();
        project.close();
        await bed.lab.down();
    });

    function declare(cluster: string, login: Changes): EtcdClusterArgs {
        const args = bed.declare([places[cluster]!]);
        const ssh = Object.fromEntries(
            Object.entries({ ...args.ssh, ...login }).filter(([, value]) => value !== undefined),
        );
        return { ...args, ssh };
    }

    const ways: readonly (readonly [string, string])[] = [
        ["passphrase", "with a key that has a passphrase"],
        ["sudo", "as a plain user whose sudo asks for nothing"],
        ["password", "by password, as a user whose sudo asks for it"],
        ["agent", "with a key that only an agent has"],
        ["port", "at another SSH port"],
        ["unchecked", "without checking host keys"],
        ["direct", "with etcd's API asked directly, where SSH forwards nothing"],
    ];
    for (const [cluster, way] of ways) {
        it(`have a cluster when they are reached ${way}`, async () => {
            const host = hostOf(cluster);
            assert.deepEqual(await voters(host, cluster), [host.name]);
            const { members } = (await project.outputs())[cluster]!;
            assert.deepEqual(
                members.map(({ address }) => address),
                [host.address],
            );
        });
    }

    it("are warned about, loudly and by name, where their keys are not checked", () => {
        const warnings = run.text.split("\n").filter((line) => /warning:.*NOT checked/.test(line));
        assert.ok(warnings.length > 0, run.text);
        for (const line of warnings)
            assert.match(line, /the SSH host keys of f are NOT checked \(insecureSkipHostKeyCheck\)/);
    });

    it("are reached in the same ways by a second up, which finds nothing to do", async () => {
        const before = await times();
        const second = await project.mustUp(clusters);
        assert.doesNotMatch(second.text, /\b(updated|created|replaced|deleted)\b/);
        assert.deepEqual(await times(), before);
    });

    it("are not restarted for what is staged when nothing leads to their etcd any more, which may be well", async () => {
        const [file, ssh] = ["/etc/ssh/sshd_config.d/forward.conf", "systemctl restart ssh"];
        const others: Partial<EtcdClusterArgs> = { tuning: { snapshotCount: 5000 }, timeouts: { healthSeconds: 3 } };
        const before = await times();
        await hostOf("sudo").output(`echo 'AllowTcpForwarding no' > ${file}; ${ssh}`);
        await assertBarred("b", { sudo: { ...clusters.sudo!, ...others } });
        await hostOf("sudo").output(`rm ${file}; ${ssh}`);
        const clients = [{ name: "others", addresses: ["192.0.2.1"] }];
        await assertBarred("g", { direct: { ...clusters.direct!, ...others, clients } });
        // Not refused, but dropped: as the firewall in front of a machine at a provider's does.
        const drop = "tcp dport 2379 drop";
        await hostOf("direct").output(
            `nft 'add table inet away; add chain inet away in { type filter hook input priority -50; }; add rule inet away in ${drop}'`,
        );
        await assertBarred("g", { direct: { ...clusters.direct!, ...others } });
        await hostOf("direct").output("nft delete table inet away");
        await project.mustUp(clusters);
        assert.deepEqual(await times(), before);

        async function assertBarred(host: string, changed: typeof clusters): Promise<void> {
            const run = await project.up({ ...clusters, ...changed });
            assert.notEqual(run.code, 0);
            const why = new RegExp(`not until etcd on "${host}" can be asked; it runs, and nothing is known of it, so`);
            assert.match(refusalOf(run).join("\n"), why);
            assert.deepEqual(await times(), before);
        }
    });

    it("leave no password, passphrase or key in the readable part of the state", async () => {
        const state = await project.state();
        assert.ok(state.includes("ciphertext"));
        for (const secret of [PASSPHRASE, bed.lab.users.operator.password, "PRIVATE KEY"])
            assert.ok(!state.includes(secret), secret);
    });

    it("are cleared in the same ways", async () => {
        const gone = await project.destroy();
        assert.equal(gone.code, 0, gone.text);
        for (const cluster of Object.keys(places)) {
            const left = await hostOf(cluster).output("ls -d /etc/etcd /opt/etcd 2>/dev/null; pgrep -a etcd; true");
            assert.equal(left, "", cluster);
        }
    });

    it("are told apart from those that don't let etcd's clients in, where etcd is asked directly", async () => {
        const failed = await project.up({
            direct: {
                ...clusters.direct!,
                clients: [{ name: "others", addresses: ["192.0.2.1"] }],
                timeouts: { healthSeconds: 3 },
            },
        });
        assert.match(refusalOf(failed).join("\n"), /port 2379 can't be reached from this machine/);
        await project.destroy();
    });

    const times = () =>
        Promise.all(
            Object.entries(places).map(async ([cluster, name]) => (await startTimes(bed.lab, [name], cluster))[0]),
        );
});

describe("hosts behind a bastion", () => {
    const cluster = "behind";
    let bed: Bed;
    let project: Project;

    before(async () => {
        bed = await openBed("it-access-bastion", "10.82.2", 3, { bastion: { name: "bastion", address: "10.82.2.9" } });
        project = await Project.open();
    });

    after(async () => {
        project.close();
        await bed.lab.down();
    });

    it("become a cluster of three, with another user on the bastion, and go again", async () => {
        const args = bed.declare(3);
        const bastion = { address: bed.lab.bastion!.address, user: "admin", hostKey: bed.lab.bastion!.publicHostKey };
        await project.mustUp({ [cluster]: { ...args, ssh: { ...args.ssh, bastion } } });
        assert.deepEqual(await voters(bed.lab.host("c"), cluster), ["a", "b", "c"]);
        await etcdctl(bed.lab.host("a"), cluster, "put greeting hello");
        const gone = await project.destroy();
        assert.equal(gone.code, 0, gone.text);
        assert.equal(await bed.lab.host("b").output("ls -d /etc/etcd /opt/etcd 2>/dev/null; true"), "");
    });

    it("are not reached through a bastion that shows another key, and it is the bastion that is named", async () => {
        const args = bed.declare(3);
        const bastion = { address: bed.lab.bastion!.address, hostKey: bed.lab.host("a").publicHostKey };
        const run = await project.up({ [cluster]: { ...args, ssh: { ...args.ssh, bastion } } });
        const said = refusalOf(run);
        assert.match(said[0]!, /root@10\.82\.2\.9: the host key is ssh-ed25519/);
    });
});

describe("hosts of which keys are known that they have no more", () => {
    const cluster = "keys";
    let bed: Bed;
    let project: Project;
    let old: Readonly<Record<"ed25519" | "ecdsa", string>>;

    before(async () => {
        bed = await openBed("it-access-keys", "10.82.3", 1);
        project = await Project.open();
        old = { ed25519: await makeKey("ed25519"), ecdsa: await makeKey("ecdsa") };
    });

    after(async () => {
        project?.close();
        await bed?.lab.down();
    });

    async function makeKey(type: string): Promise<string> {
        const file = join(project.directory, `old_${type}`);
        await succeed("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", "", "-f", file]);
        return (await readFile(`${file}.pub`, "utf8")).trim();
    }

    function declare(login: Partial<SshArgs>): Record<string, EtcdClusterArgs> {
        const args = bed.declare(1);
        return { [cluster]: { ...args, ssh: { ...args.ssh, ...login } } };
    }

    async function isRefused(login: Partial<SshArgs>, type: string): Promise<void> {
        const unchanged = await watchHosts(bed.lab);
        const said = refusalOf(await project.up(declare(login))).join("\n");
        assert.match(said, new RegExp(`would be given ${type} SHA256:.*; take that one out of hostKeys or knownHosts`));
        assert.match(said, /nothing was changed on any host/);
        await unchanged();
    }

    it("are refused before anything is changed, where staging would check one of those", async () => {
        const right = bed.lab.host("a").publicHostKey;
        await isRefused({ hostKeys: { a: [old.ed25519, right] } }, "ssh-ed25519");
        await isRefused({ hostKeys: { a: [right, old.ecdsa] } }, "ecdsa-sha2-nistp256");
        const knownHosts = `${bed.lab.host("a").address} ${old.ed25519}\na ${right}\n`;
        await isRefused({ hostKeys: {}, knownHosts }, "ssh-ed25519");
    });

    it("become a cluster where staging checks the one that they have", async () => {
        await project.mustUp(declare({ hostKeys: { a: [bed.lab.host("a").publicHostKey, old.ed25519] } }));
        assert.deepEqual(await voters(bed.lab.host("a"), cluster), ["a"]);
    });
});

type Changes = { readonly [Key in keyof SshArgs]: SshArgs[Key] | undefined };

/** The lab's key, encrypted. */
async function encryptedKey(lab: Lab, directory: string): Promise<string> {
    const file = join(directory, "encrypted");
    await writeFile(file, lab.privateKey, { mode: 0o600 });
    await succeed("ssh-keygen", ["-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", file]);
    return readFile(file, "utf8");
}

interface Agent {
    readonly socket: string;
    readonly stop: () => void;
}

/** An SSH agent that has one key. */
async function startAgent(keyFile: string): Promise<Agent> {
    const child = spawn("ssh-agent", ["-D"], { stdio: ["ignore", "pipe", "inherit"] });
    const socket = await new Promise<string>((resolve, reject) => {
        let text = "";
        child.stdout.setEncoding("utf8").on("data", (piece: string) => {
            text += piece;
            const found = /SSH_AUTH_SOCK=([^;]+);/.exec(text)?.[1];
            if (found !== undefined) resolve(found);
        });
        child.once("error", reject).once("exit", () => reject(new Error(`ssh-agent ended: ${text}`)));
    });
    await succeed("ssh-add", ["-q", keyFile], { environment: { ...process.env, SSH_AUTH_SOCK: socket } });
    return { socket, stop: () => child.kill() };
}
