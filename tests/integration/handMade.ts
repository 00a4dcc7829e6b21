/** Clusters as somebody sets them up by hand: units, settings and certificates of their own. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import type { EtcdClusterArgs } from "../../components";
import type { EtcdCredentials } from "../../components/remote/etcdAccess";
import type { LabHost } from "../../lab";
import { releaseArchive } from "../../lab/release";
import { ETCD_VERSION, type Bed } from "./fixture";

/** Two clusters on the same hosts: from Debian's package, and from a release that a unit of somebody's runs as root. */
export const ports = { packaged: 2379, released: 3379 } as const;
export type Name = keyof typeof ports;
export const names = Object.keys(ports) as readonly Name[];
export const units: Readonly<Record<Name, string>> = { packaged: "etcd.service", released: "my-etcd.service" };
/** The package's data stays where it is; the release's is moved. */
export const foundIn: Readonly<Record<Name, string>> = {
    packaged: "/var/lib/etcd/default",
    released: "/srv/etcd-data",
};

/** Both clusters, each as it was set up. @param changes to what is declared of either */
export function declareBoth(bed: Bed, changes: Partial<EtcdClusterArgs>): Record<Name, EtcdClusterArgs> {
    const of = (name: Name, own: Partial<EtcdClusterArgs> = {}): EtcdClusterArgs =>
        bed.declare(3, { ...own, clientPort: ports[name], peerPort: ports[name] + 1, ...changes });
    return {
        packaged: of("packaged", { version: "3.4.23", install: { source: "debian" }, dataDir: foundIn.packaged }),
        released: of("released"),
    };
}

/** Sets up both clusters on hosts that have their certificates, if there are to be any. @param flagsOf a member */
export async function startBoth(hosts: readonly LabHost[], flagsOf: typeof settings): Promise<void> {
    const { path } = await releaseArchive(ETCD_VERSION);
    for (const host of hosts) {
        await setUpPackage(host, flagsOf(host, hosts, foundIn.packaged, ports.packaged));
        await setUpRelease(host, units.released, flagsOf(host, hosts, foundIn.released, ports.released), path);
    }
    // At once: a unit is up when its member has found the others.
    await onEach(hosts, `systemctl start ${units.packaged} ${units.released}`);
}

/** What the same command prints on each host. */
export function onEach(hosts: readonly LabHost[], command: string): Promise<readonly string[]> {
    return Promise.all(hosts.map(async (host) => (await host.output(command)).trim()));
}

/** Where a host has the certificates of a cluster that was set up by hand. */
const PKI = "/etc/etcd-pki";

/** One authority for clients and peers, as most have it, and one certificate for both ports of each host. */
export class Authority {
    private constructor(private readonly directory: string) {}

    static async make(): Promise<Authority> {
        const directory = await mkdtemp(join(tmpdir(), "pulumi-etcd-authority-"));
        const made = new Authority(directory);
        await made.openssl(
            "req",
            "-x509",
            ...NEW_KEY,
            ["-keyout", "ca.key", "-out", "ca.crt"],
            ["-days", "30"],
            ["-subj", "/CN=somebody's CA"],
        );
        return made;
    }

    async issue(name: string, address?: string): Promise<EtcdCredentials> {
        const extensions = [
            "extendedKeyUsage=serverAuth,clientAuth",
            ...(address === undefined ? [] : [`subjectAltName=IP:${address}`]),
        ];
        await writeFile(join(this.directory, `${name}.ext`), extensions.join("\n"));
        await this.openssl(
            "req",
            ...NEW_KEY,
            ["-keyout", `${name}.key`, "-out", `${name}.csr`],
            ["-subj", `/CN=${name}`],
        );
        const by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", `${name}.ext`];
        await this.openssl("x509", "-req", ["-in", `${name}.csr`, "-out", `${name}.crt`], by);
        const read = (file: string): Promise<string> => readFile(join(this.directory, file), "utf8");
        const [ca, cert, key] = await Promise.all([read("ca.crt"), read(`${name}.crt`), read(`${name}.key`)]);
        return { ca, cert, key };
    }

    async remove(): Promise<void> {
        await rm(this.directory, { recursive: true });
    }

    private async openssl(...words: readonly (string | readonly string[])[]): Promise<void> {
        await promisify(execFile)("openssl", words.flat(), { cwd: this.directory });
    }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** etcd's flags for a member with TLS on both ports, and its place in a list of hosts that begin together. */
export function settings(
    host: LabHost,
    hosts: readonly LabHost[],
    dataDir: string,
    clientPort: number,
): Readonly<Record<string, string>> {
    return {
        ...place("https", host, hosts, dataDir, clientPort),
        "cert-file": `${PKI}/member.crt`,
        "key-file": `${PKI}/member.key`,
        "trusted-ca-file": `${PKI}/ca.crt`,
        "client-cert-auth": "true",
        "peer-cert-file": `${PKI}/member.crt`,
        "peer-key-file": `${PKI}/member.key`,
        "peer-trusted-ca-file": `${PKI}/ca.crt`,
        "peer-client-cert-auth": "true",
        "quota-backend-bytes": "4294967296",
    };
}

/** The same without TLS, and without any other settings: as most begin. */
export function plainSettings(
    host: LabHost,
    hosts: readonly LabHost[],
    dataDir: string,
    clientPort: number,
): Readonly<Record<string, string>> {
    return place("http", host, hosts, dataDir, clientPort);
}

function place(
    scheme: "http" | "https",
    host: LabHost,
    hosts: readonly LabHost[],
    dataDir: string,
    clientPort: number,
): Readonly<Record<string, string>> {
    const peerUrl = ({ address }: LabHost): string => `${scheme}://${address}:${clientPort + 1}`;
    const clientUrl = `${scheme}://${host.address}:${clientPort}`;
    return {
        name: host.name,
        "data-dir": dataDir,
        "listen-peer-urls": peerUrl(host),
        "initial-advertise-peer-urls": peerUrl(host),
        "listen-client-urls": `${clientUrl},${scheme}://127.0.0.1:${clientPort}`,
        "advertise-client-urls": clientUrl,
        "initial-cluster": hosts.map((other) => `${other.name}=${peerUrl(other)}`).join(","),
        "initial-cluster-token": "by-hand",
    };
}

export async function layCertificates(host: LabHost, { ca, cert, key }: EtcdCredentials): Promise<void> {
    await host.writeFile(`${PKI}/ca.crt`, ca);
    await host.writeFile(`${PKI}/member.crt`, cert);
    await host.writeFile(`${PKI}/member.key`, key);
    await host.output(`chmod 0755 ${PKI}; chmod 0644 ${PKI}/*`);
}

/** From Debian's package, with what its unit reads. Not started. */
async function setUpPackage(host: LabHost, flags: Readonly<Record<string, string>>): Promise<void> {
    await host.output("apt-get update -q && apt-get install -y -q etcd-server etcd-client && systemctl stop etcd", {
        timeoutSeconds: 180,
    });
    await host.output("rm -rf /var/lib/etcd/*");
    const lines = Object.entries(flags).map(
        ([flag, value]) => `ETCD_${flag.toUpperCase().replaceAll("-", "_")}="${value}"`,
    );
    await host.writeFile("/etc/default/etcd", `${lines.join("\n")}\n`);
}

/** From a release archive, run as root by a unit that somebody wrote. Not started. */
async function setUpRelease(
    host: LabHost,
    unit: string,
    flags: Readonly<Record<string, string>>,
    archive: string,
): Promise<void> {
    await host.output("mkdir -p /srv/etcd && tar -xzf - -C /srv/etcd --strip-components 1", {
        stdin: await readFile(archive),
        timeoutSeconds: 60,
    });
    const words = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    await host.writeFile(
        `/etc/systemd/system/${unit}`,
        `[Service]\nType=notify\nExecStart=/srv/etcd/etcd ${words.join(" ")}\nRestart=always\n[Install]\nWantedBy=multi-user.target\n`,
    );
    await host.output(`systemctl daemon-reload; systemctl enable -q ${unit}`);
}
