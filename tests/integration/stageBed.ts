/** One lab host that is staged by hand: the staging script, certificates and a member, without an engine. */
import assert from "node:assert/strict";

import { httpsUrl, type HostCertificates, type HostSettings } from "../../components/host/settings";
import { renderStage, type Stage } from "../../components/host/stage";
import type { CommandResult } from "../../lab/command";
import type { LabHost } from "../../lab";
import { settingsOf } from "../unit/host/settings";

/** The settings of a member on a host. */
export function settingsFor(host: LabHost, cluster: string, changes: Partial<HostSettings> = {}): HostSettings {
    const { name, address } = host;
    return settingsOf({
        cluster,
        clusterToken: `${cluster}.test`,
        name,
        address,
        releaseDir: "/opt/etcd/none",
        ...changes,
    });
}

/** Certificates that etcd takes, made by the host's own openssl. */
export async function certificatesFor(
    host: LabHost,
    { cluster, name, address }: HostSettings,
): Promise<HostCertificates> {
    const directory = `/root/pki-${cluster}`;
    await host.output(
        `set -eu; mkdir -p ${directory}; cd ${directory}
        key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
        for ca in client-ca peer-ca; do
            key $ca.key
            openssl req -x509 -new -key $ca.key -out $ca.crt -days 30 -subj "/CN=$ca" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
        done
        key member.key
        openssl req -new -key member.key -subj "/CN=${cluster}-peer/OU=${name}" -out member.csr
        printf 'extendedKeyUsage=serverAuth,clientAuth\\nkeyUsage=critical,digitalSignature\\nsubjectAltName=DNS:${name},IP:${address}\\n' >extensions
        for pair in server:client-ca peer:peer-ca; do
            openssl x509 -req -in member.csr -CA "\${pair#*:}.crt" -CAkey "\${pair#*:}.key" -CAcreateserial -days 30 -extfile extensions -out "\${pair%:*}.crt"
        done`.replaceAll(/\n {8}/g, "\n"),
    );
    const read = (file: string) => host.readFile(`${directory}/${file}`);
    const key = await read("member.key");
    return {
        clientCa: await read("client-ca.crt"),
        peerCa: await read("peer-ca.crt"),
        serverCert: await read("server.crt"),
        serverKey: key,
        peerCert: await read("peer.crt"),
        peerKey: key,
    };
}

/** Stages, and gives what the script said. */
export function runStage(host: LabHost, stage: Stage): Promise<CommandResult> {
    return host.run("sh", { stdin: stage.script });
}

/** Stages without a word, as it has to. */
export async function stageOn(host: LabHost, settings: HostSettings, certificates: HostCertificates): Promise<Stage> {
    const stage = renderStage(settings, certificates);
    assert.deepEqual(await runStage(host, stage), { stdout: "", stderr: "", code: 0 });
    return stage;
}

/** Starts a member of one on what is staged: what membership does at its first step. */
export async function startMember(
    host: LabHost,
    { paths, name, address, peerPort }: HostSettings,
    stage: Stage,
): Promise<void> {
    await host.output(
        `set -eu
        ln -sfn generations/${stage.generation} ${paths.current}
        printf 'ETCD_INITIAL_CLUSTER=${name}=${httpsUrl(address, peerPort)}\\nETCD_INITIAL_CLUSTER_STATE=new\\n' >${paths.membershipEnv}
        : >${paths.mayStartEmpty}
        cp ${paths.current}/etcd.service ${paths.unitFile}
        systemctl daemon-reload
        systemctl enable --quiet ${paths.unit}
        systemctl start ${paths.unit}`,
    );
}
