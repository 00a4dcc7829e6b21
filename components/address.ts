import { isIPv4, isIPv6 } from "node:net";

export { isIPv4, isIPv6 };

/** Whether a text is an IP address, without brackets, zone or port. */
export function isAddress(text: string): boolean {
    return isIPv4(text) || (isIPv6(text) && !text.includes("%"));
}
