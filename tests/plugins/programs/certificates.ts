import type * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";

type Keyless<T> = Omit<T, "privateKeyPem">;

/** Certificates and what they are made of, each named by its key; they refer to each other by name. */
export interface CertificatesProgram {
    readonly keys: Readonly<Record<string, tls.PrivateKeyArgs>>;
    readonly authorities?: Readonly<Record<string, Authority>>;
    readonly leaves?: Readonly<Record<string, Leaf>>;
}

export interface Authority {
    /** Without it, the arguments' own `privateKeyPem`, if any. */
    readonly key?: string;
    readonly args: tls.SelfSignedCertArgs;
}

export interface Leaf {
    readonly key: string;
    readonly authority: string;
    /** Signs with this key instead of the authority's own. */
    readonly signingKey?: string;
    readonly request: Keyless<tls.CertRequestArgs>;
    readonly args: Omit<tls.LocallySignedCertArgs, "certRequestPem" | "caCertPem" | "caPrivateKeyPem">;
}

const program = JSON.parse(process.env.PROGRAM ?? "{}") as CertificatesProgram;

const keys = new Map(Object.entries(program.keys).map(([name, args]) => [name, new tls.PrivateKey(name, args)]));

const pemOf = (key: string): pulumi.Output<string> => found(keys, key).privateKeyPem;

const authorities = new Map(
    Object.entries(program.authorities ?? {}).map(([name, { key, args }]) => [
        name,
        new tls.SelfSignedCert(name, key === undefined ? args : { ...args, privateKeyPem: pemOf(key) }),
    ]),
);

for (const [name, leaf] of Object.entries(program.leaves ?? {})) {
    const request = new tls.CertRequest(`${name}-request`, { ...leaf.request, privateKeyPem: pemOf(leaf.key) });
    const keyOfAuthority = program.authorities?.[leaf.authority]?.key ?? "";
    new tls.LocallySignedCert(name, {
        ...leaf.args,
        certRequestPem: request.certRequestPem,
        caCertPem: found(authorities, leaf.authority).certPem,
        caPrivateKeyPem: pemOf(leaf.signingKey ?? keyOfAuthority),
    });
}

function found<T>(map: ReadonlyMap<string, T>, name: string): T {
    const value = map.get(name);
    if (value === undefined) throw new Error(`the program's arguments name "${name}" but do not declare it`);
    return value;
}
