import { shellQuote } from "../quote";
import { removeBackup, renderBackup } from "./backup";
import { renderFirewall, renderFirewallDropIn, renderFirewallUnit, renderNoFirewall, renderPeers } from "./firewall";
import { renderGeneration } from "./generation";
import { ETCD_USER, HEADER, type HostCertificates, type HostSettings } from "./settings";
import { renderFailure } from "./stageFailure";
import { STAGE_FUNCTIONS } from "./stageFunctions";

/** The fourth line of the mark on a host that is being taken over. */
export const MARK_TAKING_OVER = "taking over";

/** What is staged on a host. */
export interface Stage {
    /** The digest of the generation that the script lays down. */
    readonly generation: string;
    /** A POSIX shell script for root. It holds private keys. */
    readonly script: string;
}

/**
 * The script that puts a member's files on its host: user, directories, certificates, the generation, the firewall. It is
 * idempotent, can be cut off anywhere, changes nothing that belongs to somebody else, and neither starts nor stops etcd. On failure it
 * says why in one sentence on stderr, then what to type next, and ends with code 1.
 * @param owner what tells the state of the stack that this is for from others
 */
export function renderStage(settings: HostSettings, certificates: HostCertificates, owner = ""): Stage {
    const { paths } = settings;
    const { digest, files } = renderGeneration(settings, certificates);
    const leaves = {
        "server.crt": certificates.serverCert,
        "server.key": certificates.serverKey,
        "peer.crt": certificates.peerCert,
        "peer.key": certificates.peerKey,
    };
    const phase = settings.isTakingOver ? `${MARK_TAKING_OVER}\n` : "";
    const mark = `${HEADER}\n${settings.clusterToken}\n${owner}\n${phase}`;
    const script = [
        renderFailure(settings),
        STAGE_FUNCTIONS,
        ...variables({
            cluster: settings.cluster,
            token: settings.clusterToken,
            etcd: ETCD_USER,
            root: paths.root,
            mark: paths.mark,
            staged: paths.staged,
            manifest: paths.manifest,
            staging: paths.staging,
            as_staged: paths.asStaged,
            generations: paths.generations,
            current: paths.current,
            runtime: paths.runtime,
            data: paths.dataDir,
            unit_file: paths.unitFile,
            firewall_unit: paths.firewallUnit,
            firewall_unit_file: paths.firewallUnitFile,
            firewall_drop_in: paths.firewallDropIn,
            firewall_table: paths.firewallTable,
            backup_unit: paths.backupUnit,
            digest,
        }),
        call("check_host", settings.firewall ? "firewall" : ""),
        call("take_lock"),
        call("check_ours", ...backupUnitFiles(settings)),
        ...(settings.backup ? [call("check_schedule", settings.backup.schedule)] : []),
        call("make_user"),
        call("make_root"),
        call("begin_manifest"),
        // The first file, so that whatever a run that was cut off leaves behind is known as ours.
        call("put", paths.mark, "0640", `root:${ETCD_USER}`, mark),
        call("make_directories", paths.pki, settings.isTakingOver ? "taking over" : ""),
        // What runs with the old ones may be trusted with no others yet.
        ...Object.entries(leaves).map(([name, text]) =>
            owned(settings.isTakingOver ? "put_once" : "put", `${paths.pki}/${name}`, text),
        ),
        call("begin_generation"),
        ...Object.entries(files).map(([name, text]) => generationFile(name, text)),
        call("end_generation"),
        ...firewall(settings),
        ...backup(settings),
        call("put", paths.staged, "0640", `root:${ETCD_USER}`, `${digest}\n`),
        call("mend_membership"),
        call("write_manifest", paths.pki, paths.firewall, ...backupFiles(settings)),
        call("drop_old_generations"),
        "",
    ].join("\n");
    return { generation: digest, script };
}

function firewall(settings: HostSettings): readonly string[] {
    const { paths, peers = [] } = settings;
    if (!settings.firewall) return [call("open_firewall", paths.firewall, renderNoFirewall(settings), paths.peers)];
    return [
        call("begin_peers", paths.peers, renderPeers(settings.isTakingOver ? peers : []), ...peers),
        call("put_units", renderFirewallUnit(settings), renderFirewallDropIn(settings)),
        call("load_firewall", paths.firewall, renderFirewall(settings)),
    ];
}

function backupFiles(settings: HostSettings): readonly string[] {
    return settings.backup ? [settings.paths.backupScript, ...backupUnitFiles(settings)] : [];
}

function backupUnitFiles({ backup, paths }: HostSettings): readonly string[] {
    return backup ? [paths.backupUnitFile, paths.backupTimerFile] : [];
}

function backup(settings: HostSettings): readonly string[] {
    if (!settings.backup) return [removeBackup(settings.paths)];
    const { script, unit, timer } = renderBackup(settings, settings.backup);
    const { backupScript, backupUnitFile, backupTimerFile } = settings.paths;
    return [
        call("put", backupScript, "0640", `root:${ETCD_USER}`, script),
        call("put", backupUnitFile, "0644", "root:root", unit),
        call("put", backupTimerFile, "0644", "root:root", timer),
        call("start_timer"),
    ];
}

/** Certificates, the authorities' as well, are their owner's alone (CIS 1.1.20, 1.1.21). */
function generationFile(name: string, text: string): string {
    const isCertificate = name.endsWith(".crt");
    const [mode, owner] = isCertificate ? ["0600", `${ETCD_USER}:${ETCD_USER}`] : ["0640", `root:${ETCD_USER}`];
    return `put_started "$generation"/${shellQuote(name)} ${mode} ${shellQuote(owner)} ${shellQuote(text)}`;
}

function owned(put: string, path: string, text: string): string {
    return call(put, path, "0600", `${ETCD_USER}:${ETCD_USER}`, text);
}

function call(name: string, ...words: readonly string[]): string {
    return [name, ...words.map(shellQuote)].join(" ");
}

function variables(values: Readonly<Record<string, string>>): readonly string[] {
    return Object.entries(values).map(([name, value]) => `${name}=${shellQuote(value)}`);
}
