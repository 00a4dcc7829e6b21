import { COMMANDS } from "./commands";

/** What the commands do; of one command, or of all. */
export function helpText(only?: string): string {
    const lines = Object.entries(COMMANDS)
        .filter(([name]) => only === undefined || name === only)
        .flatMap(([name, { usage, summary, options = [] }]) => [
            `  ${`${name} ${usage}`.trim()}`,
            `      ${summary}`,
            ...options.map(([option, meaning]) => `      ${option.padEnd(24)}${meaning}`),
        ]);
    if (only !== undefined) return lines.join("\n");
    return [
        "Disposable hosts on this machine, with the names and addresses that a stack's file declares.",
        "",
        "  npm run lab -- COMMAND …",
        "",
        ...lines,
    ].join("\n");
}
