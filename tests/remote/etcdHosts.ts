/** Real etcd with TLS on lab hosts, started by hand: what the client is tried against. */
import type { EtcdCredentials } from "../../components/remote/etcdAccess";
import { openEtcd, type EtcdClient } from "../../components/remote/etcdClient";
import type { ConnectionPool } from "../../components/remote/connectionPool";
import type { Lab, LabHost } from "../../lab";
import { etcdBinaries } from "../../toolchain";
import { targetOf } from "./hosts";
import { until } from "./until";

const PKI = "/root/pki";
const DATA = "/var/lib/etcd-remote";
const ACCESS = `--cacert ${PKI}/client-ca.crt --cert ${PKI}/operator.crt --key ${PKI}/operator.key`;

/** Two authorities and, of each, a certificate for every member; one for the operator, one that is out of date. */
const MAKE_CERTIFICATES = `set -eu
cd ${PKI}
new() { openssl req "$@" -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes 2>/dev/null; }
for ca in client-ca peer-ca; do new -x509 -keyout $ca.key -out $ca.crt -subj /CN=$ca -days 3650; done
leaf() {
    new -keyout $1.key -out $1.csr -subj /CN=$1
    printf 'subjectAltName=%s\\nextendedKeyUsage=serverAuth,clientAuth\\n' "$3" > ext
    openssl x509 -req -in $1.csr -CA $2.crt -CAkey $2.key -CAcreateserial -out $1.crt -extfile ext -days $4 2>/dev/null
}
leaf operator client-ca DNS:operator 3650
leaf expired client-ca DNS:operator -1
`;

export class EtcdHosts {
    private constructor(
        private readonly lab: Lab,
        private readonly pool: ConnectionPool,
        readonly version: string,
        readonly credentials: EtcdCredentials,
    ) {}

    /** Puts binaries and certificates on all hosts, and nothing else of etcd. */
    static async open(lab: Lab, pool: ConnectionPool, version: string): Promise<EtcdHosts> {
        const [first] = lab.hosts;
        if (first === undefined) throw new Error("the lab has no host");
        const leaves = lab.hosts.map(({ name, address }) => {
            const names = `DNS:${name},IP:${address},IP:127.0.0.1`;
            return `leaf ${name}-server client-ca ${names} 3650; leaf ${name}-peer peer-ca ${names} 3650`;
        });
        await first.output(`rm -rf ${PKI}; mkdir -m 700 ${PKI}`);
        await first.output([MAKE_CERTIFICATES, ...leaves].join("\n"));
        const packed = await first.output(`tar cf - -C ${PKI} . | base64 -w0`);
        const binaries = version === "3.4" ? undefined : await etcdBinaries(version);
        await Promise.all(
            lab.hosts.map(async (host) => {
                const connection = await pool.connect(targetOf(lab, host));
                await host.output(`systemctl stop etcd-remote 2>/dev/null; rm -rf ${PKI} ${DATA}; mkdir -m 700 ${PKI}`);
                await host.output(`base64 -d | tar xf - -C ${PKI}`, { stdin: packed });
                if (binaries === undefined) {
                    const install =
                        "apt-get update -qq && apt-get install -qq --no-install-recommends etcd-server etcd-client";
                    await host.output(
                        `[ -x /usr/bin/etcd ] || { ${install} && systemctl disable --now etcd; } >&2; ln -sf /usr/bin/etcd /usr/bin/etcdctl /usr/local/bin/`,
                        { timeoutSeconds: 300 },
                    );
                    return;
                }
                await host.output("rm -f /usr/local/bin/etcd /usr/local/bin/etcdctl");
                for (const name of ["etcd", "etcdctl"] as const) {
                    const { path, sha256 } = binaries[name];
                    await connection.upload(path, `/usr/local/bin/${name}`, { mode: 0o755, sha256 });
                }
            }),
        );
        const [ca, cert, key] = await Promise.all(
            ["client-ca.crt", "operator.crt", "operator.key"].map((file) => first.readFile(`${PKI}/${file}`)),
        );
        return new EtcdHosts(lab, pool, version, { ca: ca ?? "", cert: cert ?? "", key: key ?? "" });
    }

    peerUrl(host: LabHost): string {
        return `https://${host.address}:2380`;
    }

    pem(file: string): Promise<string> {
        return this.lab.host("a").readFile(`${PKI}/${file}`);
    }

    /** Starts etcd with an empty data directory. Does not wait. */
    async start(host: LabHost, members: readonly LabHost[], state: "new" | "existing"): Promise<void> {
        const { name, address } = host;
        const learners = /^3\.[45]/.test(this.version) ? [] : ["--max-learners 5"];
        const flags = [
            ...learners,
            `--name ${name} --data-dir ${DATA}`,
            `--initial-cluster ${members.map((member) => `${member.name}=${this.peerUrl(member)}`).join(",")}`,
            `--initial-cluster-state ${state}`,
            `--listen-peer-urls ${this.peerUrl(host)} --initial-advertise-peer-urls ${this.peerUrl(host)}`,
            `--listen-client-urls https://${address}:2379 --advertise-client-urls https://${address}:2379`,
            `--client-cert-auth --trusted-ca-file ${PKI}/client-ca.crt`,
            `--cert-file ${PKI}/${name}-server.crt --key-file ${PKI}/${name}-server.key`,
            `--peer-client-cert-auth --peer-trusted-ca-file ${PKI}/peer-ca.crt`,
            `--peer-cert-file ${PKI}/${name}-peer.crt --peer-key-file ${PKI}/${name}-peer.key`,
        ];
        await host.output(`systemctl reset-failed etcd-remote 2>/dev/null; rm -rf ${DATA}
            systemd-run --quiet --unit etcd-remote /usr/local/bin/etcd ${flags.join(" ")}`);
    }

    /** Starts a first member, alone, and waits until it leads. */
    async bootstrap(host: LabHost, changes: Partial<Parameters<typeof openEtcd>[1]> = {}): Promise<EtcdClient> {
        await this.start(host, [host], "new");
        const client = await this.client(host, changes);
        await until("the first member is healthy", 60, () => client.isHealthy());
        return client;
    }

    /** A learner has passed the check of its peers when its WAL directory is there: the next one may start. */
    async whenJoined(host: LabHost): Promise<void> {
        await until("the learner joins", 60, async () => (await host.run(`[ -d ${DATA}/member/wal ]`)).code === 0);
    }

    async client(host: LabHost, changes: Partial<Parameters<typeof openEtcd>[1]> = {}): Promise<EtcdClient> {
        const connection = await this.pool.connect(targetOf(this.lab, host));
        const access = { address: host.address, clientPort: 2379, serverName: host.name, ...this.credentials };
        return openEtcd(connection, { ...access, ...changes });
    }

    async etcdctl(host: LabHost, command: string): Promise<string> {
        return host.output(
            `ETCDCTL_API=3 /usr/local/bin/etcdctl --endpoints https://${host.address}:2379 ${ACCESS} ${command}`,
        );
    }

    /** What a member's gauge of active peers says of one. */
    async countsAsConnected(host: LabHost, id: string): Promise<string | undefined> {
        const metrics = await host.output(`curl --silent --fail ${ACCESS} https://${host.address}:2379/metrics`);
        return new RegExp(`^etcd_network_active_peers\\{.*Remote="${id}"\\} (\\d+)`, "m").exec(metrics)?.[1];
    }
}
