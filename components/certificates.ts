import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

import type { CertificateArgs } from "./args";
import {
    FIRST_AUTHORITY,
    OPERATOR,
    ascending,
    authorityName,
    peerCommonName,
    type HostCertificates,
} from "./host/settings";

/** For whom certificates are made. Names and addresses are plain values: they decide which resources exist. */
export interface ClusterCertificatesArgs extends CertificateArgs {
    /** The cluster's name, for the names in the certificates. */
    readonly cluster: string;
    readonly hosts: readonly { readonly name: string; readonly address: string }[];
    /** The common names of the clients' certificates. */
    readonly clients: readonly string[];
}

/** What a client of the cluster logs in with. */
export interface ClientCertificate {
    /** The authorities that the members' server certificates may come from: one or more certificates. */
    readonly ca: pulumi.Output<string>;
    readonly cert: pulumi.Output<string>;
    /** Secret. */
    readonly key: pulumi.Output<string>;
}

/** The certificates of one host, late-known. The keys are secrets. */
export type LateHostCertificates = { readonly [Part in keyof HostCertificates]: pulumi.Output<string> };

interface Authority {
    readonly key: tls.PrivateKey;
    readonly cert: tls.SelfSignedCert;
}

/** The authorities of one kind: all are trusted, one signs. */
interface Trust {
    readonly signer: Authority;
    /** The certificates of all, in one order whoever signs. */
    readonly bundle: pulumi.Output<string>;
}

interface Leaf {
    readonly key: tls.PrivateKey;
    readonly request: tls.CertRequest;
}

// The gateway in every etcd up to 3.7 calls its own member with the server certificate, and peers call each other with theirs.
const MEMBER_USES = ["digital_signature", "key_encipherment", "server_auth", "client_auth"];
const CLIENT_USES = ["digital_signature", "key_encipherment", "client_auth"];
const AUTHORITY_USES = ["cert_signing", "crl_signing"];

const ALGORITHMS: Readonly<Record<NonNullable<CertificateArgs["algorithm"]>, tls.PrivateKeyArgs>> = {
    "ECDSA-P256": { algorithm: "ECDSA", ecdsaCurve: "P256" },
    "ECDSA-P384": { algorithm: "ECDSA", ecdsaCurve: "P384" },
    "RSA-2048": { algorithm: "RSA", rsaBits: 2048 },
    "RSA-4096": { algorithm: "RSA", rsaBits: 4096 },
    ED25519: { algorithm: "ED25519" },
};

/**
 * The certificates of one cluster: an authority for peers and one for clients, of each number that is declared; for each member a
 * server and a peer certificate, on one key; for the operator and each client a client certificate. A host or client that comes or goes
 * changes no other's certificate. A leaf certificate that is renewed keeps its key, whoever signs it.
 */
export class ClusterCertificates extends pulumi.ComponentResource {
    /** Whom the client ports trust, and who vouches for the servers. */
    readonly clientCa: pulumi.Output<string>;
    /** Whom the peer ports trust. */
    readonly peerCa: pulumi.Output<string>;
    /** By host name. */
    readonly hosts: Readonly<Record<string, LateHostCertificates>>;
    /** Who signs, alone. */
    readonly signer: Readonly<Record<"clientCa" | "peerCa", pulumi.Output<string>>>;
    readonly operator: ClientCertificate;
    /** By client name. */
    readonly clients: Readonly<Record<string, ClientCertificate>>;

    constructor(
        private readonly label: string,
        private readonly args: ClusterCertificatesArgs,
        opts?: pulumi.ComponentResourceOptions,
    ) {
        super("etcd:index:ClusterCertificates", label, {}, opts);

        const clients = this.trust("client");
        const peers = this.trust("peer");
        this.clientCa = clients.bundle;
        this.peerCa = peers.bundle;
        this.signer = { clientCa: clients.signer.cert.certPem, peerCa: peers.signer.cert.certPem };
        this.hosts = Object.fromEntries(
            args.hosts.map((host) => [host.name, this.member(host, clients.signer, peers.signer)]),
        );
        this.operator = this.client("operator", OPERATOR, clients.signer);
        this.clients = Object.fromEntries(
            args.clients.map((client) => [client, this.client(`${client}-client`, client, clients.signer)]),
        );
        this.registerOutputs({ clientCa: this.clientCa, peerCa: this.peerCa });
    }

    /** Of certificates that an authority signs. */
    private get validityHours(): number {
        return this.args.validityHours ?? 8760;
    }

    private trust(kind: "client" | "peer"): Trust {
        const numbers = this.args.authorities ?? FIRST_AUTHORITY;
        const all = new Map(ascending(numbers).map((number) => [number, this.authority(kind, number)]));
        const pems = [...all.values()].map(({ cert }) => cert.certPem);
        return { signer: all.get(numbers[0]!)!, bundle: pulumi.all(pems).apply((texts) => texts.join("")) };
    }

    /** Stays as it was made, whatever is declared later: members that run trust those that they were started with, and no others. */
    private authority(kind: "client" | "peer", number: number): Authority {
        const part = number === 1 ? `${kind}-ca` : `${kind}-ca-${number}`;
        const commonName = authorityName(this.args.cluster, kind, number);
        const key = this.key(part, { ignoreChanges: ["algorithm", "ecdsaCurve", "rsaBits"] });
        const cert = new tls.SelfSignedCert(
            `${this.label}-${part}`,
            {
                privateKeyPem: key.privateKeyPem,
                subject: { commonName },
                isCaCertificate: true,
                allowedUses: AUTHORITY_USES,
                validityPeriodHours: this.args.caValidityHours ?? 87600,
            },
            { parent: this, ignoreChanges: ["validityPeriodHours"] },
        );
        cert.validityEndTime.apply((end) => {
            const warning = authorityEnds(commonName, end, this.validityHours, Date.now());
            if (warning !== undefined) void pulumi.log.warn(warning, this);
        });
        return { key, cert };
    }

    private member(host: { name: string; address: string }, client: Authority, peer: Authority): LateHostCertificates {
        const leaf = this.leaf(`${host.name}-member`, {
            subject: { commonName: peerCommonName(this.args.cluster), organizationalUnit: host.name },
            ipAddresses: [host.address],
            dnsNames: [host.name],
        });
        const server = this.sign(`${host.name}-server`, leaf, client, MEMBER_USES);
        const peerCert = this.sign(`${host.name}-peer`, leaf, peer, MEMBER_USES);
        return {
            clientCa: this.clientCa,
            peerCa: this.peerCa,
            serverCert: server.certPem,
            serverKey: leaf.key.privateKeyPem,
            peerCert: peerCert.certPem,
            peerKey: leaf.key.privateKeyPem,
        };
    }

    private client(part: string, commonName: string, authority: Authority): ClientCertificate {
        const leaf = this.leaf(part, { subject: { commonName } });
        const { certPem } = this.sign(part, leaf, authority, CLIENT_USES);
        return { ca: this.clientCa, cert: certPem, key: leaf.key.privateKeyPem };
    }

    private leaf(part: string, request: tls.CertRequestArgs): Leaf {
        const key = this.key(part);
        const args = { ...request, privateKeyPem: key.privateKeyPem };
        return { key, request: new tls.CertRequest(`${this.label}-${part}`, args, { parent: this }) };
    }

    private sign(part: string, leaf: Leaf, authority: Authority, allowedUses: string[]): tls.LocallySignedCert {
        return new tls.LocallySignedCert(
            `${this.label}-${part}`,
            {
                certRequestPem: leaf.request.certRequestPem,
                caCertPem: authority.cert.certPem,
                caPrivateKeyPem: authority.key.privateKeyPem,
                allowedUses,
                validityPeriodHours: this.validityHours,
                earlyRenewalHours: this.args.earlyRenewalHours ?? 720,
            },
            { parent: this },
        );
    }

    private key(part: string, opts: pulumi.CustomResourceOptions = {}): tls.PrivateKey {
        return new tls.PrivateKey(`${this.label}-${part}`, ALGORITHMS[this.args.algorithm ?? "ECDSA-P256"], {
            parent: this,
            ...opts,
        });
    }
}

/**
 * An authority is never renewed, and at its end everybody is shut out.
 * @returns what to tell while a certificate that is made now could outlive it
 */
export function authorityEnds(
    name: string,
    end: string | undefined,
    validityHours: number,
    nowMs: number,
): string | undefined {
    const leftHours = (Date.parse(end ?? "") - nowMs) / 3_600_000;
    if (Number.isNaN(leftHours) || leftHours > validityHours) return undefined;
    return `the authority "${name}" ends on ${end!.slice(0, 10)}, and nobody is let in after that: rotate the authorities before (certificates.authorities)`;
}
