/** Which of a cluster's authorities a member trusts, and whose certificates it has: the question as a script, its answer as plain values. Pure. */
import { certificatesIn, type Authorities } from "../adoption/authorities";
import { AUTHORITIES } from "../host/environment";
import type { HostPaths } from "../host/paths";
import { FIRST_AUTHORITY } from "../host/settings";
import { shellQuote } from "../quote";

/** Whom a generation trusts. */
export interface Trusted {
    /** PEM: empty where they can't be read. */
    readonly certs: Authorities;
    /** The numbers that its `etcd.env` has; undefined where that is gone. */
    readonly noted: readonly number[] | undefined;
}

export interface RotationSeen {
    /** By what runs, then by what would be started next, if that is something else. None where nothing was started yet. */
    readonly trusted: readonly Trusted[];
    /** The common names of those who signed its certificates. */
    readonly signers: readonly string[];
}

const LEAVES = ["server.crt", "peer.crt"];

/** Part of the script that looks at a host. `$started` is the `etcd.env` of what runs, or of what would be started. */
export function rotationScript(paths: HostPaths): string {
    const [note, current] = [AUTHORITIES, paths.current].map(shellQuote);
    return `
trusts() {
    if [ -f "$2/etcd.env" ]; then
        trusted=${FIRST_AUTHORITY.join(",")}
        while IFS= read -r line || [ -n "$line" ]; do case $line in ${note}*) trusted=\${line#${note}} ;; esac; done <"$2/etcd.env"
        echo "$1.note=$trusted"
    fi
    for kind in client peer; do
        [ -f "$2/$kind-ca.crt" ] && while IFS= read -r line || [ -n "$line" ]; do echo "$1.$kind=$line"; done <"$2/$kind-ca.crt"
    done
}
trusts running "\${started%/*}"
[ "\${started%/*}" -ef ${current} ] || trusts next ${current}
for leaf in ${LEAVES.join(" ")}; do
    [ -f ${shellQuote(paths.pki)}/$leaf ] && while IFS= read -r line; do echo "$leaf=$line"; done <${shellQuote(paths.pki)}/$leaf
done`;
}

/** Reads what the script printed; `all` gives the values of a key. */
export function parseRotation(all: (key: string) => readonly string[]): RotationSeen {
    return {
        trusted: ["running", "next"].flatMap((which) => trustedBy((key) => all(`${which}.${key}`))),
        signers: LEAVES.flatMap((leaf) => signerOf(all(leaf).join("\n"))),
    };
}

function trustedBy(all: (key: string) => readonly string[]): readonly Trusted[] {
    const certs = { clientCa: all("client").join("\n"), peerCa: all("peer").join("\n") };
    const noted = all("note")[0]?.split(",").map(Number);
    return noted || certs.clientCa || certs.peerCa ? [{ certs, noted }] : [];
}

/** What is no certificate, as after a crash or by a hand, is put back by the run, and nobody's. */
function signerOf(pem: string): readonly string[] {
    return certificatesIn(pem)
        .slice(0, 1)
        .flatMap(({ issuer }) => commonName(issuer) ?? []);
}

/** Of a certificate's subject or issuer. */
export function commonName(name: string): string | undefined {
    return /^CN=(.*)$/m.exec(name)?.[1];
}
