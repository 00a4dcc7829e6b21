/** A member's journal → the few lines of it that tell an operator why. Pure. */

/** Lines of etcd's log that only say that all goes well. */
const QUIET = new Set(["debug", "info"]);
const LONGEST = 300;

/** How much of a journal is looked through: a start that fails writes some 40 lines. */
export const LINES_READ = 80;

/**
 * The last lines that tell something, each once and at its last place: etcd's own of level "warn" and above, without time, place and
 * stack, and all that is not etcd's. Of a journal that holds no such line, its last ones.
 */
export function tellingLines(journal: string, count: number): readonly string[] {
    const lines = journal
        .split("\n")
        .filter((line) => line.trim() !== "")
        .map(parseLine);
    const telling = lines.filter(({ isQuiet }) => !isQuiet);
    const texts = (telling.length > 0 ? telling : lines).map(({ text }) => text);
    return texts.filter((text, index) => texts.lastIndexOf(text) === index).slice(-count);
}

function parseLine(line: string): { readonly text: string; readonly isQuiet: boolean } {
    const entry = parseEntry(line);
    if (!entry) return { text: shorten(line), isQuiet: false };
    const { level, msg, error } = entry;
    const text = `${level}: ${String(msg)}${error === undefined ? "" : `: ${String(error)}`}`;
    return { text: shorten(text), isQuiet: QUIET.has(level) };
}

/** etcd's logger writes one JSON object in each line. */
function parseEntry(line: string): { level: string; msg?: unknown; error?: unknown } | undefined {
    if (!line.startsWith("{")) return undefined;
    try {
        const entry = JSON.parse(line) as { level?: unknown };
        return typeof entry.level === "string" ? { ...entry, level: entry.level } : undefined;
    } catch {
        return undefined;
    }
}

function shorten(text: string): string {
    const line = text.trim().replaceAll(/\s+/g, " ");
    return line.length <= LONGEST ? line : `${line.slice(0, LONGEST)}…`;
}
