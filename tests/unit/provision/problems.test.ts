import assert from "node:assert/strict";

import { parseFacts } from "../../../components/provision/facts";
import type { ProvisionInputs } from "../../../components/provision/inputs";
import { problemsOf, twinProblems } from "../../../components/provision/problems";
import { assertOne, changed } from "./answers";
import { host, inputs as ordinary } from "./declared";

const NOW = 1_700_000_000;
const sha256 = "ab".repeat(32);

/** A host that is as it should be, in the words of its shell. */
const FIT = [
    `clock=${NOW}`,
    "kernel=Linux",
    "systemd=yes",
    ...["ss", "flock", "cmp", "getent", "useradd", "tar", "gzip", "curl", "wget", "nft", "apt-get"].map(
        (tool) => `tool=${tool}`,
    ),
    "free=data 9000 /var/lib",
    "free=releases 9000 /opt",
    "address=127.0.0.1",
    "address=10.0.0.11",
    "address=fe80::1",
    "binaries=absent",
];

const inputs: ProvisionInputs = {
    ...ordinary,
    install: { source: "file", path: "etcd.tar.gz", sha256 },
};

/** What speaks against a fit host of which some lines were changed. */
function problems(
    changes: readonly (string | RegExp)[],
    declared: Partial<ProvisionInputs> = {},
    when = { askedMs: NOW * 1000, seenMs: NOW * 1000 },
): readonly string[] {
    return problemsOf({ ...inputs, ...declared }, host, parseFacts(changed(FIT, changes)), when);
}

/** Exactly one problem, with this in its text. */
function one(wanted: RegExp, changes: readonly (string | RegExp)[], declared: Partial<ProvisionInputs> = {}): void {
    assertOne(problems(changes, declared), wanted);
}

describe("what speaks against a host", () => {
    it("is nothing when it is fit", () => {
        assert.deepEqual(problems([]), []);
    });

    it("is another system, or one without systemd, and then nothing else is told", () => {
        one(/runs FreeBSD, wanted is Linux/, ["kernel=FreeBSD", /^kernel|^tool|^systemd/]);
        one(/systemd does not run/, [/^systemd|^tool/]);
    });

    it("is each program that is missing, with the package that has it", () => {
        one(/program ss is missing: install iproute2/, [/=ss$/]);
        one(/program flock is missing: install util-linux/, [/=flock$/]);
        one(/program tar is missing/, [/=tar$/]);
        one(/^\/usr\/sbin\/nft is missing: install nftables/, [/=nft$/]);
    });

    it("is no program that is not needed", () => {
        assert.deepEqual(problems([/=nft$/], { firewall: false }), []);
        assert.deepEqual(problems([/=apt-get$/]), []);
        assert.deepEqual(problems([/=(curl|wget)$/]), []);
        assert.deepEqual(problems([/=(tar|gzip)$|^binaries/, "binaries=present"]), []);
    });

    it("is what the install source needs", () => {
        const url = { install: { source: "url", url: "https://x/y.tar.gz", sha256 } } as const;
        one(/curl and wget are missing/, [/=(curl|wget)$/], url);
        assert.deepEqual(problems([/=curl$/], url), []);
        const debian = { install: { source: "debian" } } as const;
        one(/it has no apt-get/, [/=apt-get$/], debian);
        one(/etcd\.service runs on it/, ["etcd.service=active"], debian);
        one(/its packages offer etcd 3\.4\.23, wanted is 3\.6\.\d+:/, ["offered=3.4.23"], debian);
        assert.deepEqual(problems(["offered="], debian), [], "its lists were never fetched");
        assert.deepEqual(problems(["offered=3.4.23"], { ...debian, version: "3.4.23" }), []);
        assert.deepEqual(problems(["etcd.service=active"]), []);
    });

    it("is an archive that the host can't fetch, or that says it is another one, unless it is needed no more", () => {
        const url = { install: { source: "url", url: "https://x/y.tar.gz", sha256 } } as const;
        const other = ["machine=x86_64", "archive=etcd-v3.6.15-linux-amd64/"];
        one(
            /https:\/\/x\/y\.tar\.gz holds etcd 3\.6\.15, wanted is 3\.6\.16.*or declare version "3\.6\.15"/,
            other,
            url,
        );
        one(/is for arm64, wanted is amd64/, ["machine=x86_64", "archive=etcd-v3.6.16-linux-arm64/"], url);
        one(
            /can't be fetched from it: curl: \(22\) .* 404: correct install\.url/,
            ["unfetched=curl: (22) error: 404"],
            url,
        );
        assert.deepEqual(problems(["machine=x86_64", "archive=etcd-v3.6.16-linux-amd64/"], url), []);
        assert.deepEqual(problems(["machine=x86_64", "archive=mine/"], url), [], "packed by somebody else");
        assert.deepEqual(problems([/^bin/, "binaries=present", ...other], url), []);
    });

    it("is a clock that is off by more than some seconds, either way, and not that the host was slow to tell", () => {
        assert.deepEqual(problems([/^clock/, `clock=${NOW - 20}`]), []);
        one(/clock is 300 s behind/, [/^clock/, `clock=${NOW - 300}`]);
        one(/clock is 21 s ahead of/, [/^clock/, `clock=${NOW + 21}`]);
        const slow = { askedMs: NOW * 1000, seenMs: (NOW + 70) * 1000 };
        assert.deepEqual(problems([], {}, slow), []);
        assertOne(problems([/^clock/, `clock=${NOW - 21}`], {}, slow), /clock is 21 s behind/);
    });

    it("is a schedule of backups that its systemd does not understand", () => {
        one(
            /^systemd of this host does not understand the backup\.schedule "dayly": correct it/,
            ["schedule=refused"],
            {
                backup: true,
                backupSchedule: "dayly",
            },
        );
    });

    it("is a disk without room for a member, or for the binaries", () => {
        one(/\/var\/lib has 511 MiB free, 512 MiB are wanted/, [/^free=data/, "free=data 511 /var/lib"]);
        one(/\/opt has 100 MiB free/, [/^free=rel/, "free=releases 100 /opt"]);
        assert.deepEqual(problems([/^free=rel|^bin/, "free=releases 100 /opt", "binaries=present"]), []);
    });

    it("is less room where a member lives already: what it holds is etcd's to watch", () => {
        const living = ["data=ours", "token=tools.prod", "entry=member"];
        assert.deepEqual(problems([/^free=data/, "free=data 100 /var/lib", ...living]), []);
        one(/31 MiB free, 32 MiB are wanted/, [/^free=data/, "free=data 31 /var/lib", ...living]);
    });

    it("is an address that is another host's", () => {
        one(/10\.0\.0\.11 is not an address of it \(it has 10\.0\.0\.12\)/, [/^address=10/, "address=10.0.0.12"]);
        assert.deepEqual(problems([/^address/]), [], "it could not tell its addresses");
    });

    it("is whoever listens on a port of the cluster's, by name, on the declared address or on all", () => {
        const nginx = 'users:(("nginx",pid=812,fd=6))';
        for (const at of ["10.0.0.11:2379", "*:2379", "0.0.0.0:2379", "[::]:2379", "[::ffff:10.0.0.11]%eth0:2379"]) {
            assert.equal(problems([`listener=2379 ${at} ${nginx}`]).length, 1, at);
        }
        one(/port 2379 is taken by nginx \(process 812\), which listens on \*:2379/, [`listener=2379 *:2379 ${nginx}`]);
        one(/port 2380 is taken by another process/, ["listener=2380 *:2380 "]);
        assert.deepEqual(problems([`listener=2379 127.0.0.1:2379 ${nginx}`]), []);
    });

    it("is a port that another cluster of ours has there, once", () => {
        one(/port 2379 belongs to the cluster "other"/, ["claim=2379 other"]);
        one(/taken by etcd/, ["claim=2379 other", 'listener=2379 10.0.0.11:2379 users:(("etcd",pid=7,fd=3))']);
    });

    it("is a data directory within another cluster's, or around it", () => {
        one(/\/var\/lib\/etcd\/tools and \/var\/lib\/etcd\/tools\/b, where the cluster "other" has its data/, [
            "overlap=other /var/lib/etcd/tools/b",
        ]);
    });

    it("is another declared host that is the same machine, by the addresses of both", () => {
        const look = (name: string, address: string, ...has: readonly string[]) => ({
            host: { ...host, name, address },
            facts: parseFacts(has.map((one) => `address=${one}`).join("\n")),
        });
        const both = ["10.0.0.11", "10.0.0.12"];
        assert.match(
            twinProblems([look("a", "10.0.0.11", ...both), look("b", "10.0.0.12", ...both)]).join("\n"),
            /^hosts "a" \(10\.0\.0\.11\) and "b" \(10\.0\.0\.12\) are one machine/,
        );
        // An address that floats between two machines is found on one of them.
        assert.deepEqual(twinProblems([look("a", "10.0.0.11", ...both), look("b", "10.0.0.12", "10.0.0.12")]), []);
    });

    it("is data of another cluster, or of nobody that is known", () => {
        one(/belongs to the cluster with the token "old\.prod", declared is "tools\.prod"/, [
            "token=old.prod",
            "mark=old.prod",
            "data=ours",
            "entry=member",
        ]);
        one(/with the token "old\.prod"/, ["mark=old.prod"]);
        one(/holds etcd data, and nothing on the host says/, ["entry=member"]);
        one(/holds etcd data/, ["entry=member", "mark=tools.prod"]);
        one(/is a link to \/mnt\/etcd, .*set dataDir to "\/mnt\/etcd"/, ["dataLink=/mnt/etcd"]);
        one(/moved without its data: mount the disk there/, ["dataLink=/mnt/etcd", "data=ours", "token=tools.prod"]);
        const wal = `mount=${inputs.dataDir}/member/wal`;
        one(/^\/var\/lib\/etcd\/tools\/member\/wal, .* is a file system of its own, and .* moved as a whole/, [wal]);
        one(/a file system of its own/, [wal, "entry=member", "data=ours", "token=tools.prod", "mark=tools.prod"]);
        const theirs = [wal, `foreign.${wal}`, "foreign.pid=7", "foreign.unit=etcd.service"];
        assert.equal(problems(theirs).filter((line) => line.includes("a file system of its own")).length, 1);
        one(/holds index\.html, wanted is an empty directory/, ["entry=index.html"]);
        assert.deepEqual(problems(["entry=lost+found"]), [], "a file system of its own");
        assert.deepEqual(problems(["entry=lost+found", "entry=set-aside"]), [], "that was a removed member's");
        const ours = ["entry=member", "data=ours", "token=tools.prod", "mark=tools.prod"];
        assert.deepEqual(problems(ours), []);
        assert.deepEqual(problems([...ours, `dataDir=${inputs.dataDir}`]), []);
        one(/its member has its data in \/srv\/etcd, declared is .*set dataDir to "\/srv\/etcd"/, [
            ...ours,
            "dataDir=/srv/etcd",
        ]);
    });

    it("is a file of somebody else's where ours would lie", () => {
        one(/etcd-tools\.service is there and was not made by pulumi-etcd/, [
            "foreign=/etc/systemd/system/etcd-tools.service",
        ]);
    });

    it("is all of it at once", () => {
        assert.equal(problems([/^clock|=nft$/, "clock=1", "foreign=/x", "entry=member"]).length, 4);
    });
});
