import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { hostPaths, type HostPaths } from "../../../components/host/paths";
import type { ProvisionHost, ProvisionInputs } from "../../../components/provision/inputs";
import { parseFacts, type Facts } from "../../../components/provision/facts";
import type { HostLook } from "../../../components/provision/look";
import { rotationScript, type RotationSeen } from "../../../components/provision/rotation";
import { rotationProblems } from "../../../components/provision/rotationProblems";
import { assertOne } from "./answers";
import { FIRST, LENT, OTHER_SECOND, SECOND, SECOND_PEER } from "./authorities";
import { host, inputs as ordinary } from "./declared";

const inputs: ProvisionInputs = { ...ordinary, owner: "state-1" };

const hosts: readonly ProvisionHost[] = ["a", "b", "c"].map((name, index) => {
    return { ...host, name, address: `10.0.0.${11 + index}` };
});

/** A host on which somebody is trusted by what runs, and by what would be started; its certificates have a signer. */
function look(at: number, trusted: readonly string[], signer?: string, more: Partial<Facts> = {}): HostLook {
    const facts = parseFacts(
        trusted.map((list, index) => `${index === 0 ? "running" : "next"}.note=${list}`).join("\n"),
    );
    const signers = signer === undefined ? [] : [`tools client CA${signer}`, `tools peer CA${signer}`];
    return { host: hosts[at]!, facts: { ...facts, owner: "state-1", signers, ...more }, problems: [] };
}

/** All three run, and are shown, the same. */
function alike(trusted: string, signer: string): readonly HostLook[] {
    return [0, 1, 2].map((at) => look(at, [trusted, trusted], signer));
}

function problems(
    authorities: readonly number[] | undefined,
    looks: readonly HostLook[],
    declared: Partial<ProvisionInputs> = {},
): readonly string[] {
    return rotationProblems({ ...inputs, ...(authorities && { authorities }), ...declared }, looks, { hosts });
}

describe("what speaks against the declared authorities", () => {
    it("is nothing in the order that is documented, whether a step is taken, done, or taken back", () => {
        for (const authorities of [undefined, [1], [1, 2]]) assert.deepEqual(problems(authorities, alike("1", "")), []);
        for (const authorities of [undefined, [1, 2], [2, 1]])
            assert.deepEqual(problems(authorities, alike("1,2", "")), []);
        for (const authorities of [[1, 2], [2, 1], [2]])
            assert.deepEqual(problems(authorities, alike("1,2", " 2")), []);
        for (const authorities of [[2], [2, 1], [2, 3]]) assert.deepEqual(problems(authorities, alike("2", " 2")), []);
    });

    it("is a signer that not all members trust", () => {
        const first =
            /so that 2 signs all certificates, and not all members trust it \("a" trusts 1, "b" trusts 1, "c" trusts 1\): declare authorities: \[1, 2\] first, and run pulumi up to its end$/;
        assertOne(problems([2], alike("1", "")), first);
        assertOne(problems([2, 1], alike("1", "")), first);
        assertOne(
            problems([1, 2], alike("2", " 2")),
            /is \[1, 2\].*"a" trusts 2.*: declare authorities: \[2, 1\] first/,
        );
        assertOne(problems(undefined, alike("2", " 2")), /is \[1\].*: declare authorities: \[2, 1\] first/);
    });

    it("is a signer that some trust already, after a run that died", () => {
        const half = [look(0, ["1,2", "1,2"], ""), look(1, ["1", "1"], ""), look(2, ["1", "1"], "")];
        assertOne(problems([2, 1], half), /\("b" trusts 1, "c" trusts 1\): declare authorities: \[1, 2\] first/);
        assert.deepEqual(problems([1], half), []);
    });

    it("is a signer that what would be started next does not trust, although what runs does, and the reverse", () => {
        const others = [look(1, ["1,2", "1,2"], ""), look(2, ["1,2", "1,2"], "")];
        assertOne(problems([2, 1], [look(0, ["1", "1,2"], ""), ...others]), /\("a" trusts 1\)/);
        assertOne(problems([2, 1], [look(0, ["1,2", "1"], ""), ...others]), /\("a" trusts 1\)/);
    });

    it("is an authority of whom a member still has a certificate", () => {
        assertOne(
            problems([2], alike("1,2", "")),
            /is \[2\], and members have certificates of others \("a" of 1, "b" of 1, "c" of 1\), as clients may: declare authorities: \[2, 1\] first, run pulumi up to its end, and give clients their new certificates$/,
        );
        assertOne(
            problems([2], [look(0, ["1,2"], " 2"), look(1, ["1,2"], " 2"), look(2, ["1,2"], "")]),
            /\("c" of 1\)/,
        );
        assertOne(problems([1], alike("1,2", " 2")), /of 2.*: declare authorities: \[1, 2\] first/);
    });

    it("is no host on which nothing of ours was started, and none that is new to this state", () => {
        assert.deepEqual(problems([2], [look(0, ["2", "2"], " 2"), look(1, []), look(2, ["2"], " 2")]), []);
        const comes = [look(0, ["2", "2"], " 2"), look(1, ["1", "1"], "")];
        assert.deepEqual(rotationProblems({ ...inputs, authorities: [2] }, comes, { hosts: hosts.slice(0, 1) }), []);
        assertOne(problems([2], comes), /: take "b" off the list, run pulumi up, and declare them again$/);
    });

    it("is another edit than one that replaces all hosts, since nobody is left to be asked", () => {
        const comes = [look(0, [])];
        const before = { hosts: hosts.slice(1), authorities: [1, 2] };
        const edit = (authorities: readonly number[]) => rotationProblems({ ...inputs, authorities }, comes, before);
        assertOne(
            edit([2]),
            /no host stays that has members: declare authorities: \[1, 2\] as before, change the hosts/,
        );
        assert.deepEqual(edit([1, 2]), []);
        assert.deepEqual(rotationProblems({ ...inputs, authorities: [2] }, comes, { hosts: [] }), []);
    });

    it("is a signer whose number others had, as in a state from before a rotation", () => {
        const more = (clientCa: string) => ({ trusted: [{ certs: { clientCa, peerCa: "" }, noted: [2] }] });
        const asked = (clientCa: string, trusted: string) =>
            problems([2], [look(0, ["2", "2"], " 2", more(trusted))], { signer: { clientCa, peerCa: "" } });
        assert.deepEqual(asked(SECOND, SECOND), []);
        assert.deepEqual(asked(SECOND, `${LENT}${SECOND}`), []);
        assertOne(
            asked(OTHER_SECOND, SECOND),
            /the authority 2 of this stack's state is not the one .* \("a"\).*stack import/,
        );
        const peer = (peerCa: string) => ({ clientCa: SECOND, peerCa });
        const trusted = look(0, ["2", "2"], " 2", {
            trusted: [peer(SECOND), peer(OTHER_SECOND)].map((certs) => ({ certs, noted: [2] })),
        });
        assertOne(problems([2], [trusted], { signer: peer(SECOND) }), /is not the one that members trust/);
        for (const unread of ["", "nonsense", LENT]) assert.deepEqual(asked(OTHER_SECOND, unread), []);
    });

    describe("where somebody changed files by hand", () => {
        const trusting = (noted: readonly number[] | undefined, clientCa: string, peerCa = "") =>
            look(0, [], " 2", { trusted: [{ certs: { clientCa, peerCa }, noted }] });

        it("is nothing, as long as the certificates of one kind are as they were, or the note is", () => {
            for (const edited of [
                trusting([1], SECOND, SECOND_PEER),
                trusting([NaN], SECOND, SECOND_PEER),
                trusting(undefined, SECOND, SECOND_PEER),
                trusting([1], SECOND),
                trusting([1], LENT, SECOND_PEER),
                trusting([2], "nonsense", LENT),
                trusting(undefined, "", "nonsense"),
            ])
                assert.deepEqual(problems([2], [edited, ...alike("2", " 2").slice(1)]), []);
        });

        it("is a rotation that is not done, whatever the note says", () => {
            for (const noted of [[1], [1, 2], [2], undefined]) {
                const others = alike("2", " 2").slice(1);
                assertOne(problems([2], [trusting(noted, FIRST), ...others]), /\("a" trusts 1\)/);
                assertOne(problems([1, 2], [trusting(noted, SECOND, SECOND_PEER)]), /\("a" trusts 2\)/);
            }
            assert.deepEqual(problems([2, 1], [trusting([1], `${FIRST}${SECOND}`)]), []);
        });
    });

    it("is no certificate that somebody else made", () => {
        const foreign = { signers: ["other", "tools client CA x", "lab client CA 3"] };
        assert.deepEqual(problems([1], [look(0, ["1", "1"], "", foreign)]), []);
    });

    it("is left to a take-over while one is under way", () => {
        const stranger = look(0, ["2", "2"], " 2", { owner: "state-0" });
        assert.deepEqual(problems(undefined, [stranger], { adopt: { tuning: {}, clientAddresses: [] } }), []);
        assert.deepEqual(problems(undefined, [stranger]), []);
        assert.deepEqual(problems(undefined, [look(0, ["2", "2"], " 2", { isTakenOver: true })]), []);
        const trusting = { isTakenOver: true, trustsBoth: true };
        assert.deepEqual(problems(undefined, [look(0, ["1", "1"], " 2", trusting)]), []);
        assertOne(problems([2], [look(0, ["1", "1"], " 2", trusting)]), /"a" trusts 1/);
    });
});

describe("the authorities on a host", () => {
    let paths: HostPaths;

    beforeEach(() => {
        const root = mkdtempSync(join(tmpdir(), "rotation-"));
        paths = { ...hostPaths("tools"), generations: root, current: join(root, "current"), pki: join(root, "pki") };
    });

    afterEach(() => rmSync(paths.generations, { recursive: true }));

    /** Whatever somebody made of its files. */
    function generation(name: string, files: Readonly<Record<string, string>>): void {
        const directory = join(paths.generations, name);
        mkdirSync(directory);
        for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
    }

    function seen(running: string): RotationSeen {
        const input = `started=${paths.generations}/${running}/etcd.env\n${rotationScript(paths)}`;
        const { stdout, stderr } = spawnSync("sh", { input, encoding: "utf8" });
        assert.equal(stderr, "");
        return parseFacts(stdout);
    }

    it("are read from what runs, and from what would be started next where that is something else", () => {
        generation("one", { "etcd.env": "# authorities 1,2\nETCD_NAME=a\n", "client-ca.crt": `${FIRST}${SECOND}` });
        generation("two", { "etcd.env": "ETCD_NAME=a", "client-ca.crt": FIRST, "peer-ca.crt": LENT.trimEnd() });
        const [one, two] = [
            { certs: { clientCa: `${FIRST}${SECOND}`.trimEnd(), peerCa: "" }, noted: [1, 2] },
            { certs: { clientCa: FIRST.trimEnd(), peerCa: LENT.trimEnd() }, noted: [1] },
        ];
        assert.deepEqual(seen("").trusted, []);
        assert.deepEqual(seen("one").trusted, [one]);
        symlinkSync("two", paths.current);
        assert.deepEqual(seen("two").trusted, [two]);
        assert.deepEqual(seen("one").trusted, [one, two]);
        assert.deepEqual(seen("").trusted, [two]);
    });

    it("are read where a hand has changed or removed what tells their numbers", () => {
        generation("one", { "etcd.env": "MINE=yes", "client-ca.crt": SECOND });
        generation("two", { "client-ca.crt": SECOND });
        symlinkSync("two", paths.current);
        assert.deepEqual(
            seen("one").trusted.map(({ noted }) => noted),
            [[1], undefined],
        );
        const look = { host: hosts[0]!, facts: { ...parseFacts(""), owner: "state-1", ...seen("one") }, problems: [] };
        assert.deepEqual(problems([2], [look]), []);
        assertOne(problems([1], [look]), /"a" trusts 2/);
    });

    it("are read from its certificates; what is none says nothing", () => {
        const { signers } = parseFacts(["running.note=1,2", "server.crt=nonsense", "peer.crt="].join("\n"));
        assert.deepEqual(signers, []);
    });
});
