/** Which authorities are declared, and what members trust and show → why the one must not follow the other. Pure. */
import { certificatesIn, type Authorities } from "../adoption/authorities";
import { FIRST_AUTHORITY, MOST_AUTHORITIES, ascending, authorityNumber } from "../host/settings";
import { quoted } from "../quote";
import { isSame, isUnknown } from "../stateValues";
import type { Before, ProvisionHost, ProvisionInputs } from "./inputs";
import type { HostLook } from "./look";
import { isStrangers } from "./problems";
import { commonName, type Trusted } from "./rotation";

/** What an etcd of ours on a declared host trusts and shows. */
interface Shown {
    readonly name: string;
    readonly trusted: readonly (readonly number[])[];
    readonly signers: readonly number[];
    readonly trustedCerts: readonly Authorities[];
}

/**
 * Who is shown a certificate has to trust its authority by then, and an authority goes only when nobody has a certificate of its.
 * @param before what this state has had before: a host that comes has no say, since it joins anew
 */
export function rotationProblems(
    { authorities = FIRST_AUTHORITY, ...inputs }: ProvisionInputs,
    looks: readonly HostLook[],
    before: Before,
): readonly string[] {
    // A take-over trusts all, and leaves certificates as they are.
    if (inputs.adopt) return [];
    const shown = looks.flatMap((look) => shownBy(inputs, look, before.hosts));
    const [signer = 1] = authorities;
    const declared = `certificates.authorities is ${list(authorities)}`;
    const present = shown.flatMap(({ signers }) => signers);

    const wary = shown.flatMap(({ name, trusted }) => {
        const without = trusted.find((numbers) => !numbers.includes(signer));
        return without ? [{ name, without }] : [];
    });
    if (wary.length > 0) {
        const found = wary.map(({ name, without }) => `"${name}" trusts ${without.join(" and ")}`);
        return [
            `${declared}, so that ${signer} signs all certificates, and not all members trust it (${found.join(", ")}): ${remedy(shown, signer, quoted(wary.map(({ name }) => name)))}`,
        ];
    }

    const another = shown.filter(({ trustedCerts }) => trustedCerts.some((certs) => isAnother(inputs.signer, certs)));
    if (another.length > 0) {
        return [
            `the authority ${signer} of this stack's state is not the one that members trust under that number (${quoted(another.map(({ name }) => name))}), as when the state is from before a rotation, or the authority was replaced without one: bring back the state that has theirs (pulumi stack import), or take the cluster over from a new stack (adopt: true)`,
        ];
    }

    const areNew = before.hosts.length > 0 && looks.every(({ host }) => isNew(host, before.hosts));
    if (areNew && !isSame(authorities, before.authorities ?? FIRST_AUTHORITY)) {
        return [
            `${declared}, and no host stays that has members: declare authorities: ${list(before.authorities ?? FIRST_AUTHORITY)} as before, change the hosts, run pulumi up, and change the authorities after that`,
        ];
    }

    const left = shown.flatMap(({ name, signers }) => {
        const gone = signers.filter((number) => !authorities.includes(number));
        return gone.length > 0 ? [`"${name}" of ${unique(gone).join(" and ")}`] : [];
    });
    if (left.length === 0) return [];
    return [
        `${declared}, and members have certificates of others (${left.join(", ")}), as clients may: declare authorities: ${list([signer, ...present, ...authorities])} first, run pulumi up to its end, and give clients their new certificates`,
    ];
}

/** An authority that all trust goes on signing until all trust the one that is to. */
function remedy(shown: readonly Shown[], signer: number, wary: string): string {
    const present = shown.flatMap(({ signers }) => signers);
    const candidates = [...present, ...shown.flatMap(({ trusted }) => trusted.flat())];
    const common = candidates.find((number) =>
        shown.every(({ trusted }) => trusted.every((numbers) => numbers.includes(number))),
    );
    if (common === undefined) return `take ${wary} off the list, run pulumi up, and declare them again`;
    return `declare authorities: ${list([common, signer, ...present])} first, and run pulumi up to its end`;
}

function shownBy(
    inputs: ProvisionInputs,
    { host, facts }: HostLook,
    before: readonly ProvisionHost[],
): readonly Shown[] {
    // Of a take-over that has not come to its end, others speak.
    if (!facts || isNew(host, before) || isStrangers(inputs, facts) || (facts.isTakenOver && !facts.trustsBoth))
        return [];
    const signers = facts.isTakenOver || facts.trustsBoth ? [] : facts.signers;
    return [
        {
            name: host.name,
            trusted: facts.trusted.flatMap((trusted) => numbersOf(inputs.cluster, trusted)),
            trustedCerts: facts.trusted.map(({ certs }) => certs),
            signers: signers.flatMap((signer) => authorityNumber(inputs.cluster, signer) ?? []),
        },
    ];
}

/**
 * By the certificates themselves: both files have those of the same numbers, so that an edit of one of them makes no difference. The note
 * in `etcd.env`, which goes with what somebody else writes there, tells where no certificate does.
 */
function numbersOf(cluster: string, { certs, noted }: Trusted): readonly (readonly number[])[] {
    const found = certificatesIn(`${certs.clientCa}\n${certs.peerCa}`).flatMap(
        ({ subject }) => authorityNumber(cluster, commonName(subject) ?? "") ?? [],
    );
    if (found.length > 0) return [ascending(unique(found))];
    return noted ? [noted] : [];
}

function isNew(host: ProvisionHost, before: readonly ProvisionHost[]): boolean {
    return !before.some(({ name, address }) => name === host.name || address === host.address);
}

/** Neither of two authorities of one number and name is the other. What can't be read is put back, and tells nothing. */
function isAnother(signer: Authorities | undefined, trusted: Authorities): boolean {
    if (!signer || isUnknown(signer)) return false;
    return (["clientCa", "peerCa"] as const).some((kind) => {
        const [own] = certificatesIn(signer[kind]);
        const namesakes = certificatesIn(trusted[kind]).filter(({ subject }) => subject === own?.subject);
        return own && namesakes.length > 0 && !namesakes.some(({ publicKey }) => publicKey.equals(own.publicKey));
    });
}

function unique(numbers: readonly number[]): readonly number[] {
    return [...new Set(numbers)];
}

/** As it may be declared. */
function list(numbers: readonly number[]): string {
    return `[${unique(numbers).slice(0, MOST_AUTHORITIES).join(", ")}]`;
}
