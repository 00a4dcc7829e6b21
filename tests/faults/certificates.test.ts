import assert from "node:assert/strict";

import { eventually } from "../integration/fixture";
import { FaultBed, lookAfter } from "./faultBed";

describe("fault: certificates and clocks that are wrong", () => {
    const cluster = "certs";
    const all = ["a", "b", "c"];
    const pki = `/etc/etcd/${cluster}/pki`;
    let site: FaultBed;

    before(async () => {
        site = await FaultBed.open(cluster, "10.107.7", 4);
        await site.mustUp(3);
    });

    lookAfter(
        () => site,
        () => site.mustUp(3),
    );

    /** The stack's own keys, as whoever holds its passphrase can read them. */
    async function authorities(): Promise<Readonly<Record<string, { readonly cert: string; readonly key: string }>>> {
        const { text } = await site.project.mustRun(["stack", "export", "--show-secrets"]);
        const { deployment } = JSON.parse(text) as {
            deployment: { resources: { urn: string; type: string; outputs?: Record<string, unknown> }[] };
        };
        const found: Record<string, { cert: string; key: string }> = {};
        for (const { urn, type, outputs } of deployment.resources) {
            if (!type.endsWith(":SelfSignedCert")) continue;
            found[urn.split("::").pop()!] = {
                cert: plain(outputs!["certPem"]),
                key: plain(outputs!["privateKeyPem"]),
            };
        }
        return found;
    }

    /** Puts another pair of certificates on a member's host, as a hand would, and has its etcd take them. */
    async function falsify(name: string, sign: string): Promise<void> {
        const cas = await authorities();
        const client = Object.entries(cas).find(([urn]) => urn.includes("client"))![1];
        const peer = Object.entries(cas).find(([urn]) => urn.includes("peer"))![1];
        const host = site.host(name);
        for (const [kind, { cert, key }] of Object.entries({ server: client, peer })) {
            await host.writeFile(`/root/${kind}-ca.crt`, cert, 0o600);
            await host.writeFile(`/root/${kind}-ca.key`, key, 0o600);
        }
        await host.output(`
set -e
cd /root
for kind in server peer; do
    cert=${pki}/$kind.crt
    key=${pki}/$kind.key; [ -e "$key" ] || key=${pki}/server.key
    openssl x509 -in $cert -noout -ext subjectAltName | sed -n '2s/IP Address/IP/g;2s/^ *//p' > san
    subject=$(openssl x509 -in $cert -noout -subject -nameopt compat | sed 's/^subject=//')
    openssl req -new -key $key -subj "$subject" -out request
    ${sign}
    cat made > $cert
done
systemctl restart --no-block etcd-${cluster}`);
    }

    const extensions = `printf 'subjectAltName=%s\\nextendedKeyUsage=serverAuth,clientAuth\\n' "$(cat san)" > extensions`;
    const wrong: readonly (readonly [string, string])[] = [
        [
            "certificates that have expired",
            `${extensions}; openssl x509 -req -in request -CA $kind-ca.crt -CAkey $kind-ca.key -CAcreateserial -days 1 -extfile extensions -out made`,
        ],
        [
            "certificates of another authority",
            `${extensions}; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other -keyout other.key -out other.crt -days 9 2>/dev/null; openssl x509 -req -in request -CA other.crt -CAkey other.key -CAcreateserial -days 9 -extfile extensions -out made`,
        ],
        [
            "certificates for another name and address",
            `printf 'subjectAltName=DNS:elsewhere,IP:10.107.7.99\\nextendedKeyUsage=serverAuth,clientAuth\\n' > extensions; openssl x509 -req -in request -CA $kind-ca.crt -CAkey $kind-ca.key -CAcreateserial -days 9 -extfile extensions -out made`,
        ],
    ];

    for (const [what, sign] of wrong) {
        it(`${what}, on one host: up says whose they are and puts the right ones back; no other host is touched`, async () => {
            const host = site.host("b");
            await site.work(what);
            const right = await host.output(`sha256sum ${pki}/*`);
            if (what.includes("expired")) await host.setClockOffset(-3 * 86400);
            await falsify("b", sign);
            await host.setClockOffset(0);
            await eventually("the member is turned away", 60, async () => {
                await assert.rejects(site.etcdctl("a", "endpoint health --cluster"));
            });
            const before = await site.startTimes(["a", "c"]);
            const run = await site.converges(3);
            for (const file of ["server.crt", "peer.crt"])
                assert.match(run.text, new RegExp(`host "b": ${pki}/${file} was changed by hand`));
            assert.equal(await host.output(`sha256sum ${pki}/*`), right);
            assert.deepEqual(await site.startTimes(["a", "c"]), before, "another host was touched");
        });
    }

    it("a host whose clock would find certificates not valid yet is found before anything is changed", async () => {
        await site.work("a clock is behind");
        await site.host("d").setClockOffset(-600);
        const before = await site.startTimes(all);
        const run = await site.mustRefuse(
            ["a", "b", "c", "d"],
            /host "d" \(10\.107\.7\.14\): its clock is \d+ s behind/,
            {
                allowEvenSize: true,
            },
        );
        assert.match(run.text, /nothing was changed on any host/);
        assert.deepEqual(await site.startTimes(all), before);
        await site.host("d").setClockOffset(0);
        await site.converges(["a", "b", "c", "d"], { allowEvenSize: true });
    });
});

function plain(value: unknown): string {
    if (typeof value === "string") return value;
    return JSON.parse((value as { plaintext: string }).plaintext) as string;
}
