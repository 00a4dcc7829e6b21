/** How texts are put into a shell command, for whoever writes scripts without being part of `remote/`. */
export { shellQuote } from "./remote/quote";

/** Names as a sentence lists them. */
export function quoted(names: readonly string[]): string {
    return names.map((name) => `"${name}"`).join(", ");
}
