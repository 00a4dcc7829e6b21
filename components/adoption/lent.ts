/** Members' own certificates, lent to reach etcd with while it does not know this stack's operator. They are kept nowhere. */
import { X509Certificate } from "node:crypto";

import { hostPaths } from "../host/paths";
import { shellQuote } from "../quote";
import type { ConnectionPool } from "../remote/connectionPool";
import type { EtcdCredentials } from "../remote/etcdClient";
import type { SshTarget } from "../remote/ssh";
import { bundle } from "./authorities";

/** What one member is reached with. */
export interface Lent extends EtcdCredentials {
    /** A name in its certificate. */
    readonly serverName: string;
}

interface Lender {
    readonly key: string;
    readonly name: string;
    readonly address: string;
    readonly ssh: SshTarget;
}

const READ_SECONDS = 30;

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
    const { pki, current } = hostPaths(cluster, dataDir);
    const files = { ca: `${current}/client-ca.crt`, cert: `${pki}/server.crt`, key: `${pki}/server.key` };
    const script = Object.entries(files)
        .map(([part, file]) => `sed 's/^/${part}:/' ${shellQuote(file)} 2>/dev/null`)
        .concat("true")
        .join("\n");
    const lent = await Promise.all(
        hosts.map(async (host) => {
            try {
                const connection = await pool.connect(host.ssh);
                const { stdout } = await connection.run(script, { timeoutSeconds: READ_SECONDS });
                const access = parse(host, stdout, ca);
                return access ? [[host.key, access] as const] : [];
            } catch {
                // It is told when the host is looked at.
                return [];
            }
        }),
    );
    return new Map(lent.flat());
}

function parse({ name, address }: Lender, text: string, ca: string): Lent | undefined {
    const part = (prefix: string): string =>
        text
            .split("\n")
            .flatMap((line) => (line.startsWith(`${prefix}:`) ? [`${line.slice(prefix.length + 1)}\n`] : []))
            .join("");
    const [cert, key] = [part("cert"), part("key")];
    if (!cert || !key) return undefined;
    const isNamed = new X509Certificate(cert).checkHost(name) !== undefined;
    return { ca: bundle(part("ca"), ca), cert, key, serverName: isNamed ? name : address };
}
