import { isIPv4, isIPv6 } from "node:net";

export { isIPv4, isIPv6 };

/** Whether a text is an IP address, without brackets, zone or port. */
export function isAddress(text: string): boolean {
    return isIPv4(text) || (isIPv6(text) && !text.includes("%"));
}

/** The one way to write an address that etcd and nftables print it in: `fd00::1` for `FD00:0:0::1`. */
export function canonicalAddress(address: string): string {
    return isIPv6(address) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;
}

/** The host of a URL, without the brackets around an IPv6 address. */
export function hostOfUrl(url: string): string {
    return new URL(url).hostname.replace(/^\[|\]$/g, "");
}

/** The port that a URL names, or that its scheme stands for. */
export function portOfUrl(url: string): number {
    const { port, protocol } = new URL(url);
    return Number(port || (protocol === "http:" ? 80 : 443));
}

/** Whether an address or network is one of IPv4 in IPv6's form, `::ffff:10.0.0.50`, however it is written: no packet has such a source. */
export function isMapped(address: string): boolean {
    const [host = "", length = "128"] = address.split("/");
    return isIPv6(host) && /^::ffff:[0-9a-f]+:[0-9a-f]+$/.test(canonicalAddress(host)) && Number(length) >= 96;
}

/** Why a member can't have an address; undefined where it can. */
export function whyNoMemberAddress(address: string): string | undefined {
    if (/^127\.|^::1$/.test(address)) return "a loopback address means another machine to each member that uses it";
    if (/^0\.|^::$/.test(address))
        return "it means every address of a host, and members need one to call each other by";
    if (/^(22[4-9]|23\d)\.|^ff/i.test(address)) return "it is a multicast address";
    if (/^(24\d|25[0-5])\./.test(address)) return "it is reserved";
    if (/^fe[89ab]/i.test(address)) return "a link-local address is good only together with an interface's name";
    if (isMapped(address)) return "it is an IPv4 address in disguise, write that one";
    return undefined;
}

/** A network, with its host bits cleared; undefined for what is none. */
export function parseNetwork(
    text: string,
): { readonly canonical: string; readonly isExact: boolean; readonly prefix: number } | undefined {
    const [address = "", length, ...rest] = text.split("/");
    if (!isAddress(address) || length === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(length))
        return undefined;
    const bytes = bytesOf(canonicalAddress(address));
    const prefix = Number(length);
    if (prefix > bytes.length * 8) return undefined;

    const cleared = bytes.map((byte, index) => byte & (0xff00 >> Math.min(8, Math.max(0, prefix - index * 8))) & 0xff);
    return {
        canonical: `${textOf(cleared)}/${prefix}`,
        isExact: cleared.every((byte, index) => byte === bytes[index]),
        prefix,
    };
}

function bytesOf(address: string): readonly number[] {
    if (isIPv4(address)) return address.split(".").map(Number);
    const [left = "", right] = address.split("::");
    const groups = (text: string) => (text === "" ? [] : text.split(":").map((group) => parseInt(group, 16)));
    const [start, end] = [groups(left), groups(right ?? "")];
    const zeros = Array.from({ length: 8 - start.length - end.length }, () => 0);
    return [...start, ...(right === undefined ? [] : zeros), ...end].flatMap((group) => [group >> 8, group & 0xff]);
}

function textOf(bytes: readonly number[]): string {
    if (bytes.length === 4) return bytes.join(".");
    const groups = Array.from({ length: 8 }, (_, index) =>
        (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
    );
    return canonicalAddress(groups.join(":"));
}
