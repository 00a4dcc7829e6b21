/** Members' own certificates, lent to reach etcd with while it does not know this stack's operator. They are kept nowhere. */
import { X509Certificate } from "node:crypto";

import { hostPaths } from "../host/paths";
import { shellQuote } from "../quote";
import type { ConnectionPool, SshConnection } from "../remote/connectionPool";
import type { EtcdCredentials } from "../remote/etcdAccess";
import type { SshTarget } from "../remote/target";
import { wholeAnswer } from "../remote/wholeAnswer";
import { bundle } from "./authorities";
import { foreignScript, isPlain, parseForeign, type ForeignEtcd } from "./foreign";

/** What one member is reached with. */
export interface Lent extends EtcdCredentials {
    /** A name in its certificate. */
    readonly serverName: string;
    /** It serves http, and asks nobody who they are. */
    readonly isPlain?: boolean;
}

interface Lender {
    readonly key: string;
    readonly name: string;
    readonly address: string;
    readonly peerPort: number;
    readonly clientPort: number;
    readonly ssh: SshTarget;
}

const READ_SECONDS = 30;

const NOTHING = { ca: "", cert: "", key: "", isPlain: true };

/**
 * Reads each member's certificate and key over SSH. A host that can't be reached, or has none, lends nothing.
 * @param ca authorities to trust besides those that the host's member trusts
 */
export async function lentByHosts(
    pool: ConnectionPool,
    { cluster, dataDir }: { readonly cluster: string; readonly dataDir: string },
    hosts: readonly Lender[],
    ca: string,
): Promise<ReadonlyMap<string, Lent>> {
    const paths = hostPaths(cluster, dataDir);
    const ours = {
        ca: `${paths.current}/client-ca.crt`,
        cert: `${paths.pki}/server.crt`,
        key: `${paths.pki}/server.key`,
    };
    const lent = await Promise.all(
        hosts.map(async (host) => {
            try {
                const connection = await pool.connect(host.ssh);
                const foreign = parseForeign(await wholeAnswer(connection, foreignScript(paths, host), READ_SECONDS));
                if (foreign && isPlain(foreign)) return [[host.key, { ...NOTHING, serverName: host.address }] as const];
                const files = foreign?.isRunning ? filesOf(foreign) : ours;
                const access = files && accessOf(host, await readFiles(connection, files), ca);
                return access ? [[host.key, access] as const] : [];
            } catch {
                // It is told when the host is looked at.
                return [];
            }
        }),
    );
    return new Map(lent.flat());
}

/** Files of a host, by the names that they are asked for by; empty where there is none. */
export async function readFiles<Name extends string>(
    connection: SshConnection,
    files: Readonly<Record<Name, string>>,
): Promise<Readonly<Record<Name, string>>> {
    const names = Object.keys(files) as Name[];
    const script = names.map((name) => `sed 's/^/${name}:/' ${shellQuote(files[name])} 2>/dev/null`);
    const lines = (await wholeAnswer(connection, script.join("\n"), READ_SECONDS)).split("\n");
    const textOf = (name: string): string =>
        lines.flatMap((line) => (line.startsWith(`${name}:`) ? [`${line.slice(name.length + 1)}\n`] : [])).join("");
    return Object.fromEntries(names.map((name) => [name, textOf(name)])) as Record<Name, string>;
}

function filesOf({ options }: ForeignEtcd): Readonly<Record<"ca" | "cert" | "key", string>> | undefined {
    const [ca, cert, key] = [options.get("trusted-ca-file"), options.get("cert-file"), options.get("key-file")];
    return ca && cert && key ? { ca, cert, key } : undefined;
}

function accessOf(
    { name, address }: Lender,
    { ca: own, cert, key }: Readonly<Record<"ca" | "cert" | "key", string>>,
    ca: string,
): Lent | undefined {
    if (!cert || !key) return undefined;
    const isNamed = new X509Certificate(cert).checkHost(name) !== undefined;
    return { ca: bundle(own, ca), cert, key, serverName: isNamed ? name : address };
}
