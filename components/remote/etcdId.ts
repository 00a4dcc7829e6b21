/** An id as the API has it (an unsigned 64-bit number in decimal digits) → as etcd's logs and our values have it. */
export function hexId(decimal: string): string {
    return BigInt(decimal).toString(16);
}

/** The way back. @throws SyntaxError if it is not hexadecimal */
export function decimalId(hex: string): string {
    return BigInt(`0x${hex}`).toString();
}
