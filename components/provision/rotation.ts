/** Which of a cluster's authorities a member trusts, and whose certificates it has: the question as a script, its answer as plain values. Pure. */
import { certificatesIn, type Authorities } from "../adoption/authorities";
import { AUTHORITIES } from "../host/environment";
import type { HostPaths } from "../host/paths";
import { FIRST_AUTHORITY } from "../host/settings";
import { shellQuote } from "../quote";

export interface RotationSeen {
    /** The authorities that what runs trusts, and those that what would be started next trusts. None where nothing was started yet. */
    readonly trusted: readonly (readonly number[])[];
    /** The certificates of the same, PEM: empty where they can't be read, and the second where it is the first. */
    readonly trustedCerts: readonly Authorities[];
    /** The common names of those who signed its certificates. */
    readonly signers: readonly string[];
}

const LEAVES = ["server.crt", "peer.crt"];

/** Part of the script that looks at a host. `$started` is the `etcd.env` of what runs, or of what would be started. */
export function rotationScript(paths: HostPaths): string {
    const note = shellQuote(AUTHORITIES);
    return `
for file in "$started" ${shellQuote(`${paths.current}/etcd.env`)}; do
    [ -f "$file" ] || continue
    trusted=${FIRST_AUTHORITY.join(",")}
    while IFS= read -r line; do case $line in ${note}*) trusted=\${line#${note}} ;; esac; done <"$file"
    echo "trusted=$trusted"
done
for kind in client peer; do
    while IFS= read -r line; do echo "running.$kind=$line"; done <"\${started%/*}/$kind-ca.crt"
    [ "\${started%/*}" -ef ${shellQuote(paths.current)} ] ||
        while IFS= read -r line; do echo "next.$kind=$line"; done <${shellQuote(paths.current)}/$kind-ca.crt
done 2>/dev/null
for leaf in ${LEAVES.join(" ")}; do
    [ -f ${shellQuote(paths.pki)}/$leaf ] && while IFS= read -r line; do echo "$leaf=$line"; done <${shellQuote(paths.pki)}/$leaf
done`;
}

/** Reads what the script printed; `all` gives the values of a key. */
export function parseRotation(all: (key: string) => readonly string[]): RotationSeen {
    return {
        trusted: all("trusted").map((list) => list.split(",").map(Number)),
        trustedCerts: ["running", "next"].map((which) => ({
            clientCa: all(`${which}.client`).join("\n"),
            peerCa: all(`${which}.peer`).join("\n"),
        })),
        signers: LEAVES.flatMap((leaf) => signerOf(all(leaf).join("\n"))),
    };
}

/** What is no certificate, as after a crash or by a hand, is put back by the run, and nobody's. */
function signerOf(pem: string): readonly string[] {
    return certificatesIn(pem)
        .slice(0, 1)
        .flatMap(({ issuer }) => /^CN=(.*)$/m.exec(issuer)?.slice(1) ?? []);
}
