/**
 * Quotes a text as one word for a POSIX shell. The only place in the package that does so.
 *
 * Inside single quotes a shell gives no character a meaning but the single quote itself, which is therefore put outside.
 * @throws TypeError for a text with a NUL byte, which no shell word can hold.
 */
export function shellQuote(text: string): string {
    if (text.includes("\0")) throw new TypeError("a text with a NUL byte can't be a shell word");
    return `'${text.replaceAll("'", `'\\''`)}'`;
}
