import { ETCD_USER, HEADER, type HostSettings } from "./settings";
import { hasLog } from "./writeAheadLog";

/**
 * The text of the etcd unit. It is part of a generation; membership copies it to its place when it activates that generation.
 *
 * At each start the unit notes which generation it runs: the last part of what `current` links to, in `<runtime>/generation`.
 *
 * etcd would start with an empty data directory under an identity that has voted, and forget what it acknowledged (etcd v3.6
 * server/etcdserver/bootstrap.go: bootstrapExistingClusterNoWAL asks nobody): the unit does not, unless membership said so. If the file
 * that says who its peers are is empty then, as after a loss of power, etcd would think that it is the only member of a new cluster. With
 * data it needs nothing of that file, and must start: nobody else may have what it has.
 */
export function renderUnit(settings: HostSettings): string {
    const { paths, releaseDir, cluster, firewall } = settings;
    const note = `basename "$$(readlink ${paths.current})" > ${paths.runtime}/generation`;
    const wal = hasLog(paths.dataDir).replaceAll("$", () => "$$");
    const lost = `there is no etcd data in ${paths.dataDir}, and without it this member must not start: pulumi up replaces it`;
    const untold = `${paths.membershipEnv} is empty, and without data this member must be told who its peers are: pulumi up writes it anew`;
    const hasData = [
        `if ${wal}; then rm -f ${paths.mayStartEmpty}`,
        `elif ! [ -e ${paths.mayStartEmpty} ]; then echo "${lost}" >&2; exit 1`,
        `elif ! [ -s ${paths.membershipEnv} ]; then echo "${untold}" >&2; exit 1; fi`,
    ].join("; ");
    return [
        HEADER,
        "[Unit]",
        `Description=etcd member of ${cluster}`,
        "Documentation=https://etcd.io/docs",
        "Wants=network-online.target",
        "After=network-online.target time-sync.target",
        ...(firewall ? afterFirewall(settings) : []),
        // Membership has not said yet that this host is to run a member. What the file says is checked where it matters: without data.
        `ConditionPathExists=${paths.membershipEnv}`,
        // A member comes back whenever what kept it from starting is gone, however long that took.
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=notify",
        `User=${ETCD_USER}`,
        `Group=${ETCD_USER}`,
        `EnvironmentFile=${paths.current}/etcd.env`,
        `EnvironmentFile=${paths.membershipEnv}`,
        ...(settings.isPlain ? [`EnvironmentFile=-${paths.plainPeers}`] : []),
        // Members call each other through a proxy that the host's systemd gives to all services (client/pkg/transport: NewTransport).
        "UnsetEnvironment=HTTP_PROXY HTTPS_PROXY http_proxy https_proxy",
        `RuntimeDirectory=${paths.unit}`,
        "RuntimeDirectoryMode=0755",
        `ExecStartPre=/bin/sh -c '${note}'`,
        `ExecStartPre=+/bin/sh -c '${hasData}'`,
        `ExecStart=${releaseDir}/etcd`,
        `ExecStartPost=+/bin/rm -f ${paths.mayStartEmpty}`,
        "Restart=on-failure",
        "RestartSec=2",
        // A learner says that it is ready only after it has caught up and reached the leader.
        "TimeoutStartSec=300",
        "TimeoutStopSec=60",
        "LimitNOFILE=65536",
        `ReadWritePaths=${paths.dataDir}`,
        ...HARDENING,
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ].join("\n");
}

/**
 * etcd does not start on a host whose firewall could not be loaded, but a firewall that is reloaded or restarted does not take etcd
 * down with it, as `Requires=` would.
 */
function afterFirewall({ paths }: HostSettings): readonly string[] {
    return [
        `Wants=${paths.firewallUnit}.service`,
        `After=${paths.firewallUnit}.service`,
        `AssertPathExists=/run/${paths.firewallUnit}`,
    ];
}

/** etcd needs its data directory, the network and nothing else. */
export const HARDENING: readonly string[] = [
    "UMask=0077",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "ProtectProc=invisible",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectControlGroups=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "DevicePolicy=closed",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RemoveIPC=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "KeyringMode=private",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged @resources",
    "SystemCallErrorNumber=EPERM",
];
