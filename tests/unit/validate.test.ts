import assert from "node:assert/strict";

import { output } from "@pulumi/pulumi";

import type { EtcdClusterArgs, EtcdHostArgs } from "../../components/args";
import { InputError } from "../../components/inputError";
import { validateCluster } from "../../components/validate";

const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yLqGHFkTqXZ1lNyEaFhYDVR5dGpFfT8pYQ4hbqBzu";
const SHA256 = "0123456789abcdef".repeat(4);

function host(name: string, address: string, changes: Partial<EtcdHostArgs> = {}): EtcdHostArgs {
    return { name, address, ...changes };
}

const three = [host("a", "10.0.0.11"), host("b", "10.0.0.12"), host("c", "10.0.0.13")];

function args(changes: Partial<EtcdClusterArgs> = {}): EtcdClusterArgs {
    return {
        version: "3.6.16",
        install: { source: "url", url: "https://example.org/etcd.tar.gz", sha256: SHA256 },
        hosts: three,
        ssh: {
            privateKey: "-----BEGIN OPENSSH PRIVATE KEY-----\n…",
            hostKeys: { a: HOST_KEY, b: HOST_KEY, c: HOST_KEY },
        },
        ...changes,
    };
}

/** The one line that a set of arguments with one mistake is refused with. */
function refusal(changes: object, name = "tools"): string {
    try {
        validateCluster(name, { ...args(), ...changes } as EtcdClusterArgs);
    } catch (error) {
        assert.ok(error instanceof InputError, String(error));
        assert.equal(error.problems.length, 1, error.message);
        assert.equal(error.message.includes("\n"), false, error.message);
        return error.message;
    }
    assert.fail(`accepted: ${JSON.stringify(changes)}`);
}

describe("a cluster's arguments", () => {
    it("are accepted as an ordinary user writes them", () => {
        assert.deepEqual(validateCluster("tools-k8s-etcd", args()), []);
        const rich = args({
            clients: [{ name: "kube-apiserver", addresses: ["10.0.0.50", "10.1.0.0/16", "fd00::/64", "fd00::1"] }],
            tuning: {
                heartbeatInterval: 50,
                electionTimeout: 500,
                autoCompactionMode: "periodic",
                autoCompactionRetention: "1h30m",
            },
            dataDir: "/srv/etcd/tools",
            clusterToken: "tools.2026-11",
            restore: { snapshot: "/srv/backup/2026-11-22T01:00.db", replaces: "e5fe1d0a7c0b9d21" },
            certificates: { authorities: [2, 1, 10], algorithm: "RSA-4096", validityHours: 100, earlyRenewalHours: 10 },
            backup: { schedule: "Mon..Fri *-*-1/2 02:30 America/New_York", directory: "/mnt/b+1@x", keep: 1 },
            timeouts: { lockSeconds: 0, healthSeconds: 5 },
        });
        assert.deepEqual(validateCluster("tools", rich), []);
        assert.deepEqual(validateCluster("tools", args({ backup: {} })), []);
    });

    const cases: readonly (readonly [mistake: string, changes: object, told: RegExp])[] = [
        ["no hosts", { hosts: [] }, /hosts is \[\], wanted is a list of at least one host/],
        ["hosts that are no list", { hosts: undefined }, /hosts is missing/],
        ["a host without a name", { hosts: [{ address: "10.0.0.11" }] }, /hosts\[0\]\.name is missing/],
        [
            "a name with a space",
            { hosts: [host("a b", "10.0.0.11", { ssh: { hostKeys: { "a b": HOST_KEY } } })] },
            /hosts\[0\]\.name is "a b", wanted is 1 to 63 letters/,
        ],
        [
            "etcd's default name",
            { hosts: [host("default", "10.0.0.11", { ssh: { hostKeys: { default: HOST_KEY } } })] },
            /a name of the member's own/,
        ],
        [
            "a name that is another machine's address",
            { hosts: [host("10.0.0.12", "10.0.0.11", { ssh: { hostKeys: { "10.0.0.12": HOST_KEY } } })] },
            /hosts\[0\]\.name is "10\.0\.0\.12", wanted is a name that is no other machine's address/,
        ],
        [
            "two hosts with one name",
            { hosts: [three[0], three[1], host("a", "10.0.0.13")] },
            /hosts\[2\]\.name is "a", wanted is a name that no other host has, and hosts\[0\] has it/,
        ],
        [
            "two names that differ in case only",
            { hosts: [three[0], three[1], host("A", "10.0.0.13", { ssh: { hostKeys: { A: HOST_KEY } } })] },
            /hosts\[2\]\.name is "A"/,
        ],
        [
            "two hosts with one address",
            { hosts: [three[0], three[1], host("c", "10.0.0.11")] },
            /hosts\[2\]\.address is "10\.0\.0\.11", wanted is an address that no other host has/,
        ],
        [
            "an address out of range",
            { hosts: [host("a", "10.0.0.300")] },
            /hosts\[0\]\.address is "10\.0\.0\.300", wanted is an IP address/,
        ],
        ["a DNS name as address", { hosts: [host("a", "a.example.org")] }, /wanted is an IP address/],
        ["an address with a port", { hosts: [host("a", "10.0.0.1:2380")] }, /wanted is an IP address/],
        ["every address", { hosts: [host("a", "0.0.0.0")] }, /it means every address of a host/],
        ["a loopback address", { hosts: [host("a", "127.0.0.1")] }, /a loopback address means another machine/],
        ["IPv6's loopback address", { hosts: [host("a", "::1")] }, /a loopback address means another machine/],
        ["a link-local address", { hosts: [host("a", "fe80::1")] }, /link-local/],
        ["a multicast address", { hosts: [host("a", "224.0.0.1")] }, /multicast/],
        ["an unusual form of an address", { hosts: [host("a", "FD00:0:0::1")] }, /the usual form of it, "fd00::1"/],
        [
            "an even number of hosts",
            { hosts: three.slice(0, 2) },
            /hosts is a list of 2, wanted is an odd number of hosts; 2 members survive the loss of 0, no more than 1/,
        ],
        [
            "a port out of range",
            { clientPort: 70000, hosts: three },
            /clientPort is 70000, wanted is a whole number from 1024 to 65535/,
        ],
        [
            "a port that is no whole number",
            { hosts: [host("a", "10.0.0.1", { peerPort: 1.5 })] },
            /hosts\[0\]\.peerPort is 1\.5/,
        ],
        [
            "one port for clients and peers",
            { hosts: [host("a", "10.0.0.1", { clientPort: 2380 })] },
            /hosts\[0\]\.clientPort is 2380, wanted is another port than peerPort's/,
        ],
        [
            "SSH's port for peers",
            { hosts: [host("a", "10.0.0.1", { peerPort: 2222, ssh: { hostKeys: { a: HOST_KEY }, port: 2222 } })] },
            /another port than SSH's/,
        ],
        [
            "a port that is root's",
            { clientPort: 443 },
            /clientPort is 443, wanted is a whole number from 1024 to 65535/,
        ],
        [
            "a version with a v",
            { version: "v3.6.16" },
            /version is "v3\.6\.16", wanted is a version as etcd prints it, such as "3\.6\.16"/,
        ],
        [
            "a version of an unknown series",
            { version: "3.9.1" },
            /version is "3\.9\.1", wanted is a patch of one of the series 3\.4, 3\.5, 3\.6, 3\.7/,
        ],
        ["a version that is too old", { version: "3.4.3" }, /3\.4\.4 or later/],
        ["no version", { version: undefined }, /version is missing/],
        [
            "a sha256 that is none",
            { install: { source: "file", path: "x", sha256: "abc" } },
            /install\.sha256 is "abc", wanted is 64 hexadecimal digits/,
        ],
        [
            "an unknown source",
            { install: { source: "snap" } },
            /install\.source is "snap", wanted is one of "debian", "file", "url"/,
        ],
        ["no source", { install: undefined }, /install is missing/],
        [
            "a URL that is none",
            { install: { source: "url", url: "example.org/x", sha256: SHA256 } },
            /install\.url is "example\.org\/x"/,
        ],
        [
            "a URL of another kind",
            { install: { source: "url", url: "file:///etc/passwd", sha256: SHA256 } },
            /install\.url/,
        ],
        [
            "more learners than the version knows",
            { version: "3.5.35", maxLearners: 2 },
            /maxLearners is 2, wanted is 1; etcd before 3\.6 knows no more/,
        ],
        [
            "an unknown log level",
            { logLevel: "loud" },
            /logLevel is "loud", wanted is one of "debug", "info", "warn", "error"/,
        ],
        ["a token with a space", { clusterToken: "a b" }, /clusterToken is "a b"/],
        ["a relative data directory", { dataDir: "data/etcd" }, /dataDir is "data\/etcd", wanted is an absolute path/],
        ["a data directory with a space", { dataDir: "/srv/my etcd" }, /dataDir/],
        ["the root directory", { dataDir: "/" }, /dataDir is "\/"/],
        ["a data directory that leads elsewhere", { dataDir: "/srv/../etc/x" }, /dataDir/],
        ["a data directory in one level", { dataDir: "/data" }, /two levels deep or more/],
        ["all of /var/lib", { dataDir: "/var/lib" }, /two levels deep or more/],
        ["a data directory where the unit can't see", { dataDir: "/home/etcd/data" }, /a directory outside \/home/],
        [
            "an election timeout that is too short",
            { tuning: { electionTimeout: 400 } },
            /tuning\.electionTimeout is 400, wanted is at least five times heartbeatInterval \(100\), 500/,
        ],
        [
            "an election timeout that is too long",
            { tuning: { electionTimeout: 60000 } },
            /tuning\.electionTimeout is 60000/,
        ],
        [
            "a retention that is none",
            { tuning: { autoCompactionRetention: "soon" } },
            /tuning\.autoCompactionRetention is "soon", wanted is hours/,
        ],
        [
            "a duration for revisions",
            { tuning: { autoCompactionMode: "revision", autoCompactionRetention: "10m" } },
            /a number of revisions/,
        ],
        [
            "an unknown option",
            { tuning: { heartBeat: 1 } },
            /tuning\.heartBeat is 1, wanted is one of the options heartbeatInterval/,
        ],
        ["a time-out of nothing", { timeouts: { healthSeconds: 0 } }, /timeouts\.healthSeconds is 0/],
        [
            "a renewal that never ends",
            { certificates: { validityHours: 700 } },
            /certificates\.earlyRenewalHours is 720, wanted is less than validityHours \(700\)/,
        ],
        [
            "certificates that would end before they begin",
            { certificates: { caValidityHours: 9999999 } },
            /certificates\.caValidityHours is 9999999, wanted is a whole number from 1 to 2562047/,
        ],
        [
            "an authority that ends first",
            { certificates: { caValidityHours: 100 } },
            /certificates\.caValidityHours is 100, wanted is at least validityHours/,
        ],
        ["a snapshot that is none", { restore: "/a.db" }, /restore is "\/a\.db", wanted is what to begin anew from/],
        [
            "a snapshot without a whole path",
            { restore: { snapshot: "backup.db" } },
            /restore\.snapshot is "backup\.db", wanted is the absolute path of a snapshot on the first host/,
        ],
        [
            "a snapshot whose path is a command",
            { restore: { snapshot: "/srv/$(reboot).db" } },
            /restore\.snapshot is .*wanted is the absolute path/,
        ],
        [
            "a cluster's id in capitals",
            { restore: { snapshot: "/a.db", replaces: "E5FE" } },
            /restore\.replaces is "E5FE", wanted is the id of a cluster as clusterId has it/,
        ],
        [
            "an unknown part of a restore",
            { restore: { snapshot: "/a.db", from: "b" } },
            /restore\.from is "b", wanted is one of the options snapshot, replaces/,
        ],
        [
            "a restore of what is taken over",
            { restore: { snapshot: "/a.db" }, adopt: true },
            /restore is .*take the cluster over first, or begin anew/,
        ],
        [
            "no authority",
            { certificates: { authorities: [] } },
            /certificates\.authorities is \[\], wanted is a list of 1 to 3/,
        ],
        [
            "four authorities",
            { certificates: { authorities: [1, 2, 3, 4] } },
            /certificates\.authorities is \[1,2,3,4\], wanted is a list of 1 to 3/,
        ],
        [
            "an authority that is no number from 1 up",
            { certificates: { authorities: [1, 0] } },
            /certificates\.authorities\[1\] is 0, wanted is a whole number from 1 up/,
        ],
        [
            "an authority twice",
            { certificates: { authorities: [2, 1, 2] } },
            /certificates\.authorities\[2\] is 2, wanted is a number that is not in the list yet/,
        ],
        [
            "other authorities in a take-over",
            { adopt: true, certificates: { authorities: [1, 2] } },
            /certificates\.authorities is \[1,2\], wanted is \[1\] while adopt is set/,
        ],
        ["backups that are none", { backup: true }, /backup is true, wanted is how to back up: \{\} for the defaults/],
        [
            "a schedule with another line in it",
            { backup: { schedule: "daily\nUser=x" } },
            /backup\.schedule is "daily\\nUser=x", wanted is a calendar expression of systemd's/,
        ],
        ["a schedule of nothing", { backup: { schedule: " " } }, /backup\.schedule is " "/],
        ["a schedule with a systemd specifier", { backup: { schedule: "%H" } }, /backup\.schedule is "%H"/],
        [
            "a relative directory of backups",
            { backup: { directory: "backups" } },
            /backup\.directory is "backups", wanted is an absolute path/,
        ],
        [
            "a directory of backups that is a command",
            { backup: { directory: "/srv/$(reboot)" } },
            /backup\.directory is/,
        ],
        [
            "a directory of backups that leads elsewhere",
            { backup: { directory: "/srv/../etc" } },
            /without \. and \.\./,
        ],
        [
            "backups within the data",
            { backup: { directory: "/var/lib/etcd/tools/backups" } },
            /backup\.directory is .*wanted is neither within dataDir \(\/var\/lib\/etcd\/tools\) nor around it/,
        ],
        ["backups in the data", { backup: { directory: "/srv/x/y" }, dataDir: "/srv/x/y" }, /neither within dataDir/],
        ["backups around the data", { backup: { directory: "/var/lib" } }, /neither within dataDir/],
        [
            "backups where the unit can't write",
            { backup: { directory: "/home/backups" } },
            /backup\.directory is .*a directory outside \/home; \/srv/,
        ],
        ["backups where releases are cleared away", { backup: { directory: "/opt/etcd" } }, /outside \/opt\/etcd/],
        ["no backups to keep", { backup: { keep: 0 } }, /backup\.keep is 0, wanted is a whole number from 1 up/],
        [
            "an unknown part of a backup",
            { backup: { every: "day" } },
            /backup\.every is "day", wanted is one of the options schedule, directory, keep/,
        ],
        [
            "a flag as text, which would count as true",
            { deleteDataOnDestroy: "false" },
            /deleteDataOnDestroy is "false", wanted is true or false, without quotes/,
        ],
        [
            "host keys that are not checked, as text",
            { ssh: { ...args().ssh, insecureSkipHostKeyCheck: "false" } },
            /ssh\.insecureSkipHostKeyCheck is "false", wanted is true or false/,
        ],
        ["an unknown setting", { backups: {} }, /: backups is unknown, wanted is one of version, install/],
        [
            "an unknown setting of a host",
            { hosts: [{ ...three[0], port: 22 }] },
            /hosts\[0\]\.port is unknown, wanted is one of name, address, ssh/,
        ],
        [
            "an unknown setting of a login, which is not shown",
            { ssh: { ...args().ssh, sudopassword: "hunter2" } },
            /ssh\.sudopassword is unknown, wanted is one of user, port/,
        ],
        ["a host that is none", { hosts: [null] }, /hosts\[0\] is null, wanted is a host: \{ name/],
        ["options that are none", { tuning: null }, /tuning is null, wanted is etcd's options/],
        [
            "a client's address that is no list",
            { clients: [{ name: "x", addresses: "10.0.0.0/24" }] },
            /clients\[0\]\.addresses is "10\.0\.0\.0\/24", wanted is a list/,
        ],
        [
            "a version that is known only later",
            { version: output("3.6.16") },
            /version is a value that is known only later \(an Output or a Promise\), wanted is a plain value/,
        ],
        [
            "a path that is known only later",
            { install: { source: "file", path: output("x"), sha256: SHA256 } },
            /install\.path is a value that is known only later \(an Output or a Promise\), wanted is the path/,
        ],
        [
            "host keys that are known only later",
            { ssh: { ...args().ssh, hostKeys: output({ a: HOST_KEY }) } },
            /ssh\.hostKeys is a value that is known only later/,
        ],
        [
            "a private key that is bytes, which are not shown",
            { ssh: { ...args().ssh, privateKey: Buffer.from("hunter2") } },
            /ssh\.privateKey is no text, wanted is a text, or an Output of one; read files as "utf8"$/,
        ],
        [
            "a URL with a password, which is not shown",
            { install: { source: "url", url: "https://ci:hunter2@example.org/etcd.tar.gz", sha256: SHA256 } },
            /install\.url is one with a user name, wanted is .*; let the hosts reach it without a login$/,
        ],
        [
            "data where a restore of other data is laid down",
            { dataDir: "/srv/etcd.restored" },
            /dataDir is "\/srv\/etcd\.restored", wanted is one that does not end in "\.restored"/,
        ],
        [
            "backups where a restore is laid down",
            { backup: { directory: "/var/lib/etcd/tools.restored/b" } },
            /backup\.directory is .*not within \/var\/lib\/etcd\/tools\.restored/,
        ],
        [
            "a snapshot where its restore is laid down",
            { restore: { snapshot: "/var/lib/etcd/tools.restored/a.db" } },
            /restore\.snapshot is .*not within \/var\/lib\/etcd\/tools\.restored/,
        ],
        ["an unknown algorithm", { certificates: { algorithm: "DSA" } }, /certificates\.algorithm is "DSA"/],
        [
            "two clients with one name",
            { clients: [{ name: "x" }, { name: "x" }] },
            /clients\[1\]\.name is "x", wanted is a name that no other client has/,
        ],
        ["the operator's name for a client", { clients: [{ name: "pulumi-etcd-operator" }] }, /clients\[0\]\.name/],
        [
            "a client's network that is none",
            { clients: [{ name: "x", addresses: ["10.0.0.0/33"] }] },
            /clients\[0\]\.addresses\[0\] is "10\.0\.0\.0\/33", wanted is an IP address or a network/,
        ],
        [
            "a network written by one of its hosts",
            { clients: [{ name: "x", addresses: ["10.0.0.5/24"] }] },
            /wanted is the network's first address, "10\.0\.0\.0\/24"/,
        ],
        [
            "a client's IPv4 address in IPv6's form",
            { clients: [{ name: "x", addresses: ["::ffff:10.0.0.50"] }] },
            /clients\[0\]\.addresses\[0\] is "::ffff:10\.0\.0\.50", wanted is an IPv4 address or network, written as one/,
        ],
        [
            "a client's IPv4 address in hexadecimal",
            { clients: [{ name: "x", addresses: ["0:0:0:0:0:FFFF:0a00:32"] }] },
            /clients\[0\]\.addresses\[0\] .*, written as one; its packets are IPv4/,
        ],
        [
            "a client's IPv4 network in IPv6's form",
            { clients: [{ name: "x", addresses: ["::ffff:10.0.0.0/120"] }] },
            /clients\[0\]\.addresses\[0\] .*, written as one/,
        ],
        [
            "all of IPv4 in IPv6's form",
            { clients: [{ name: "x", addresses: ["::ffff:0:0/96"] }] },
            /clients\[0\]\.addresses\[0\] .*, written as one/,
        ],
        [
            "a host's IPv4 address in IPv6's long form",
            { hosts: [host("a", "0:0:0:0:0:ffff:a00:32")] },
            /hosts\[0\]\.address .* IPv4 address in disguise/,
        ],
        [
            "an IPv6 network written by one of its hosts",
            { clients: [{ name: "x", addresses: ["fd00::1:5/112"] }] },
            /"fd00::1:0\/112"/,
        ],
    ];
    for (const [mistake, changes, told] of cases) {
        it(`are refused with ${mistake}`, () => assert.match(refusal(changes), told));
    }

    for (const name of ["a.b", "a_b", "", "-a", "x-firewall", "x-backup", "a".repeat(41), "a b"]) {
        it(`are refused with the name ${JSON.stringify(name)}`, () => assert.match(refusal({}, name), /: name is /));
    }

    it("are refused when there are none", () => {
        const none = undefined as unknown as EtcdClusterArgs;
        assert.throws(() => validateCluster("tools", none), /EtcdCluster "tools": args is missing, wanted is what/);
    });

    it("are refused with all their mistakes at once, one a line", () => {
        const bad = args({ version: "3", hosts: [host("a", "nowhere"), host("a", "10.0.0.1")], clientPort: 0 });
        assert.throws(
            () => validateCluster("tools", bad),
            (error: Error) => {
                assert.ok(error instanceof InputError);
                const lines = error.message.split("\n");
                assert.equal(lines.length, error.problems.length + 1);
                assert.deepEqual(error.problems.map((problem) => problem.property).sort(), [
                    "clientPort",
                    "hosts",
                    "hosts[0].address",
                    "hosts[1].name",
                    "version",
                ]);
                return true;
            },
        );
    });

    it("may be an even number of hosts when that is asked for, with a warning", () => {
        const warnings = validateCluster("tools", args({ hosts: three.slice(0, 2), allowEvenSize: true }));
        assert.deepEqual(warnings, ["2 members survive the loss of 0, no more than 1 would: declare an odd number"]);
    });

    it("are accepted with a warning when the version has known holes or is at its end", () => {
        const warn = (version: string) => validateCluster("tools", args({ version })).join();
        assert.match(warn("3.6.13"), /use 3\.6\.14 or later/);
        assert.match(warn("3.5.32"), /use 3\.5\.33 or later/);
        assert.match(warn("3.7.0"), /use 3\.7\.1 or later/);
        assert.match(warn("3.4.45"), /end of life/);
        for (const version of ["3.6.14", "3.5.33", "3.7.1"]) assert.equal(warn(version), "");
    });

    it("are accepted with a warning when a client lets everybody in", () => {
        const warnings = validateCluster("tools", args({ clients: [{ name: "x", addresses: ["0.0.0.0/0"] }] }));
        assert.match(warnings.join(), /the client x lets every address in/);
    });
});
