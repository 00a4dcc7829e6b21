import assert from "node:assert/strict";

import type { EtcdClusterArgs } from "../../components";
import { directWay } from "../../components/remote/direct";
import type { EtcdCredentials } from "../../components/remote/etcdAccess";
import { openEtcd } from "../../components/remote/etcdClient";
import { eventually } from "../integration/fixture";
import { hasPrinted, told } from "../integration/moments";
import type { Run, Running } from "../integration/project";
import { FaultBed, lookAfter } from "./faultBed";
import { refusals } from "./workload/measures";

const cluster = "rotation";
const all = ["a", "b", "c"];

describe("fault: a rotation of authorities", () => {
    let site: FaultBed;
    /** The authority that all have when a test begins and ends, and the one that comes after it. */
    let [old, next] = [1, 2];

    before(async () => {
        // Deaths are what is tried here, not deadlines: under load, an etcd may take 7 s to stop.
        site = await FaultBed.open(cluster, "10.107.10", 4, { timeouts: { healthSeconds: 30 } });
        await site.mustUp(all);
    });

    lookAfter(
        () => site,
        async () => {
            [old, next] = [1, 2];
            await site.mustUp(all);
        },
    );

    function trusting(...authorities: readonly number[]): Partial<EtcdClusterArgs> {
        return { certificates: { authorities } };
    }

    /** From both, with the next one signing, to the next one alone. */
    async function endRotation(): Promise<void> {
        await site.mustUp(all, trusting(next));
        [old, next] = [next, next + 1];
    }

    function nameOf(authority: number): string {
        return authority === 1 ? `${cluster} client CA` : `${cluster} client CA ${authority}`;
    }

    /** Who vouches for what a member shows to its clients now. */
    async function vouching(name: string): Promise<string> {
        const host = site.host(name);
        const shown = await host.output(
            `echo | openssl s_client -connect ${host.address}:2379 2>/dev/null | openssl x509 -noout -issuer -nameopt multiline`,
        );
        return /commonName\s*= (.*)/.exec(shown)?.[1] ?? shown;
    }

    async function assertShown(by: Readonly<Record<string, number>>): Promise<void> {
        for (const [name, authority] of Object.entries(by)) assert.equal(await vouching(name), nameOf(authority), name);
    }

    /** Whom a member that runs lets in, by the file that it was started with. */
    async function trustedBy(name: string): Promise<number> {
        const bundle = `/etc/etcd/${cluster}/generations/$(cat /run/etcd-${cluster}/generation)/client-ca.crt`;
        return Number(await site.host(name).output(`grep -c BEGIN ${bundle}`));
    }

    /** How often each member was started. */
    async function starts(): Promise<readonly number[]> {
        return Promise.all(
            all.map(async (name) =>
                Number(
                    await site
                        .host(name)
                        .output(`journalctl --output cat --unit etcd-${cluster} | grep -c '^Started '`),
                ),
            ),
        );
    }

    async function workloadsCertificates(): Promise<EtcdCredentials> {
        return (await site.project.outputs())[cluster]!.clientCertificates["workload"]!;
    }

    /** What a client gets from each member over a connection of its own: its version, or why there is none. */
    async function answers(credentials: EtcdCredentials): Promise<readonly string[]> {
        return Promise.all(
            all.map(async (name) => {
                const { address } = site.host(name);
                const access = { address, clientPort: 2379, serverName: name, ...credentials };
                const client = await openEtcd(directWay(address), access);
                try {
                    return `etcd ${(await client.status()).version}`;
                } catch (error) {
                    return (error as Error).message;
                } finally {
                    client.close();
                }
            }),
        );
    }

    async function assertLetIn(credentials: EtcdCredentials): Promise<void> {
        for (const answer of await answers(credentials)) assert.match(answer, /^etcd 3\./);
    }

    async function kill(running: Running): Promise<void> {
        running.kill();
        await running.finished;
        await site.project.cancel();
    }

    /** Kills a run when it has told of its first restart. */
    async function dieAfterTheFirst(...authorities: readonly number[]): Promise<void> {
        const running = site.project.startUp(site.declared(all, trusting(...authorities)));
        assert.ok(await hasPrinted(running, /restart "[abc]" with generation/), running.printed());
        await kill(running);
    }

    /** Kills a run that makes all certificates anew when two hosts have theirs, and the third has not. */
    async function dieBeforeTheThird(signer: number, other: number): Promise<void> {
        const lock = "/run/pulumi-etcd-stage.lock";
        const c = site.host("c");
        await c.output(`systemd-run --quiet --unit hold sh -c 'exec 9>${lock}; flock 9; exec sleep infinity'`);
        await eventually("the third host is held up", 10, async () => {
            await c.output(`! flock --nonblock ${lock} true`);
        });
        const running = site.project.startUp(site.declared(all, trusting(signer, other)));
        await eventually("two hosts have their new certificates", 60, () => assertShown({ a: signer, b: signer }));
        await eventually("the third host was asked", 60, async () => {
            await c.output("pidof flock");
        });
        await kill(running);
        await c.output("kill $(pidof flock); systemctl stop hold");
        await assertShown({ a: signer, b: signer, c: other });
    }

    /** What is declared is refused, in the preview too, and nothing is changed. */
    async function assertRefused(authorities: readonly number[], why: RegExp): Promise<void> {
        const changes = trusting(...authorities);
        const assertUntouched = await site.watch(all);
        const preview = await site.project.preview(site.declared(all, changes));
        assert.equal(preview.code, 0, preview.text);
        assert.match(preview.text, new RegExp(`up will stop here: .*${why.source}`));
        const run = await site.mustRefuse(all, why, changes);
        assert.match(run.text, /nothing was changed on any host/);
        await assertUntouched();
    }

    function restarts(text: string): readonly string[] {
        return told(text, cluster).flatMap((line) => /^\d+\/\d+ restart "(\w)"/.exec(line)?.[1] ?? []);
    }

    /** As of `FaultBed`, and no client was turned away for its certificate, or turned a member away. */
    async function converges(hosts: readonly string[], ...authorities: readonly number[]): Promise<Run> {
        const run = await site.mustUp(hosts, trusting(...authorities));
        const report = (await site.endWork(hosts))!;
        for (const { name, errors } of report.phases)
            assert.doesNotMatch(Object.keys(errors).join("\n"), /certificate|SSL|TLS/i, name);
        await site.isDone(hosts, trusting(...authorities));
        return run;
    }

    /** All members are restarted once by a run that converges. */
    async function rollsOnce(authorities: readonly number[]): Promise<void> {
        const before = await starts();
        const preview = await site.project.preview(site.declared(all, trusting(...authorities)));
        for (const name of all)
            assert.match(preview.text, new RegExp(`plan \\d/\\d: restart "${name}" with generation`));
        const run = await converges(all, ...authorities);
        assert.deepEqual([...restarts(run.text)].sort(), all);
        assert.deepEqual(
            await starts(),
            before.map((count) => count + 1),
        );
    }

    it("goes through in three edits: each member is restarted twice in all, and no client is turned away before its time", async () => {
        const first = await workloadsCertificates();
        await site.work("members come to trust a second authority");
        await rollsOnce([old, next]);
        await assertShown({ a: old, b: old, c: old });

        const second = await workloadsCertificates();
        assert.equal(second.cert, first.cert);
        await site.work("all certificates are made anew");
        const before = await starts();
        const preview = await site.project.preview(site.declared(all, trusting(next, old)));
        assert.doesNotMatch(preview.text, /plan \d|can't be observed|up will/);
        const run = await site.mustUp(all, trusting(next, old));
        assert.deepEqual(restarts(run.text), []);
        const report = (await site.endWork(all))!;
        for (const phase of report.phases) assert.deepEqual(refusals(phase), [], phase.name);
        await site.isDone(all, trusting(next, old));
        assert.deepEqual(await starts(), before);
        await assertShown({ a: next, b: next, c: next });
        await assertLetIn(second);

        const third = await workloadsCertificates();
        assert.notEqual(third.cert, second.cert);
        assert.equal(third.ca, second.ca);
        await assertLetIn(third);
        await site.work("members come to trust the second authority alone");
        await rollsOnce([next]);
        const fourth = await workloadsCertificates();
        assert.equal(fourth.cert, third.cert);
        await assertLetIn(fourth);
        await assertLetIn(third);
        for (const answer of await answers({ ...fourth, cert: second.cert, key: second.key }))
            assert.doesNotMatch(answer, /^etcd 3\./);
        for (const answer of await answers(first)) assert.match(answer, /certificate/);
        assert.doesNotMatch(await site.project.state(), /::rotation-(client|peer)-ca"/);
        [old, next] = [next, next + 1];
    });

    it("that dies when members come to trust another is taken back or gone on with; till then it signs nothing", async () => {
        await site.work("a roll to two authorities dies, and is taken back");
        await dieAfterTheFirst(old, next);
        await assertRefused([next, old], /so that \d signs all certificates, and not all members trust it/);
        await assertShown({ a: old, b: old, c: old });
        await converges(all, old);
        assert.deepEqual(await Promise.all(all.map(trustedBy)), [1, 1, 1]);

        await site.work("a roll to two authorities dies");
        await dieAfterTheFirst(old, next);
        assert.deepEqual((await Promise.all(all.map(trustedBy))).sort(), [1, 1, 2]);
        await converges(all, old, next);
        await site.mustUp(all, trusting(next, old));
        await endRotation();
    });

    it("that dies when all certificates are made anew is taken back or gone on with; nobody is turned away or restarted", async () => {
        await site.mustUp(all, trusting(old, next));
        const before = await starts();
        const untouched = async (): Promise<void> => {
            const report = (await site.endWork(all))!;
            for (const phase of report.phases) assert.deepEqual(refusals(phase), [], phase.name);
            assert.deepEqual(await starts(), before);
        };
        await site.work("a change of all certificates dies, and is taken back");
        await dieBeforeTheThird(next, old);
        await assertRefused([next], /members have certificates of others \("c" of \d\), as clients may/);
        await site.mustUp(all, trusting(old, next));
        await untouched();
        await site.isDone(all, trusting(old, next));
        await assertShown({ a: old, b: old, c: old });

        await site.work("a change of all certificates dies");
        await dieBeforeTheThird(next, old);
        await site.mustUp(all, trusting(next, old));
        await untouched();
        await site.isDone(all, trusting(next, old));
        await assertShown({ a: next, b: next, c: next });
        await endRotation();
    });

    it("that dies when the former one is dropped is taken back or gone on with; it is there till all run without it", async () => {
        await site.mustUp(all, trusting(old, next));
        await site.mustUp(all, trusting(next, old));
        await site.work("a roll to the new authority alone dies, and is taken back");
        await dieAfterTheFirst(next);
        await assertRefused([old, next], /so that \d signs all certificates, and not all members trust it/);
        await converges(all, next, old);
        assert.deepEqual(await Promise.all(all.map(trustedBy)), [2, 2, 2]);

        await site.work("a roll to the new authority alone dies");
        await dieAfterTheFirst(next);
        await converges(all, next);
        assert.deepEqual(await Promise.all(all.map(trustedBy)), [1, 1, 1]);
        [old, next] = [next, next + 1];
    });

    it("refuses a step that is left out, in each direction, and changes nothing on any host", async () => {
        await assertRefused(
            [next],
            new RegExp(`"a" trusts ${old}.*: declare authorities: \\[${old}, ${next}\\] first`),
        );
        await assertRefused([next, old], new RegExp(`: declare authorities: \\[${old}, ${next}\\] first`));
        await site.mustUp(all, trusting(old, next));
        await assertRefused([next], new RegExp(`: declare authorities: \\[${next}, ${old}\\] first`));
        await site.mustUp(all, trusting(next, old));
        await assertRefused([old], new RegExp(`: declare authorities: \\[${old}, ${next}\\] first`));
        await endRotation();
        await site.isDone(all, trusting(old));
    });

    it("goes on while hosts come, go and are rebuilt, and leaves nothing when all is destroyed", async () => {
        await site.work("a host is rebuilt while two authorities are trusted");
        await site.mustUp(all, trusting(old, next));
        await site.use(["a", "b"]);
        await site.host("c").rebuild();
        await converges(all, old, next);

        await site.work("all certificates are made anew, and a host is replaced");
        await converges(["a", "b", "d"], next, old);
        await site.work("the former authority is dropped, and a host is replaced");
        await converges(all, next);
        await site.mustUp(all, trusting(next, next + 1));
        const { code, text } = await site.project.destroy();
        assert.equal(code, 0, text);
        for (const name of all) assert.equal(await site.host(name).output("ls -A /etc/etcd 2>/dev/null || true"), "");
    });
});
