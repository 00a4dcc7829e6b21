/** Which authorities are declared, and what members trust and show → why the one must not follow the other. Pure. */
import { FIRST_AUTHORITY, MOST_AUTHORITIES, authorityNumber } from "../host/settings";
import { quoted } from "../quote";
import type { ProvisionHost, ProvisionInputs } from "./inputs";
import type { HostLook } from "./look";
import { isStrangers } from "./problems";

/** What an etcd of ours on a declared host trusts and shows. */
interface Shown {
    readonly name: string;
    readonly trusted: readonly (readonly number[])[];
    readonly signers: readonly number[];
}

/**
 * Who is shown a certificate has to trust its authority by then, and an authority goes only when nobody has a certificate of its.
 * @param before hosts that this state has had before: whoever comes has no say, since it joins anew
 */
export function rotationProblems(
    { authorities = FIRST_AUTHORITY, ...inputs }: ProvisionInputs,
    looks: readonly HostLook[],
    before: readonly ProvisionHost[],
): readonly string[] {
    // A take-over trusts all, and leaves certificates as they are.
    if (inputs.adopt) return [];
    const shown = looks.flatMap((look) => shownBy(inputs, look, before));
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
    const isNew = !before.some(({ name, address }) => name === host.name || address === host.address);
    // Of a take-over that has not come to its end, others speak.
    if (!facts || isNew || isStrangers(inputs, facts) || (facts.isTakenOver && !facts.trustsBoth)) return [];
    const signers = facts.isTakenOver || facts.trustsBoth ? [] : facts.signers;
    return [
        {
            name: host.name,
            trusted: facts.trusted,
            signers: signers.flatMap((signer) => authorityNumber(inputs.cluster, signer) ?? []),
        },
    ];
}

function unique(numbers: readonly number[]): readonly number[] {
    return [...new Set(numbers)];
}

/** As it may be declared. */
function list(numbers: readonly number[]): string {
    return `[${unique(numbers).slice(0, MOST_AUTHORITIES).join(", ")}]`;
}
