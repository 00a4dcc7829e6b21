import { succeed } from "./command";

/** Which way is blocked, seen from the first of the two sides. */
export type Direction = "both" | "incoming" | "outgoing";

/** Drops, on a switch, what two sides send each other. Replaces what the same name stood for before. */
export async function setPartition(
    switchFile: string,
    name: string,
    addresses: readonly string[],
    others: readonly string[],
    direction: Direction = "both",
): Promise<void> {
    if (others.length === 0) return clearPartition(switchFile, name);
    const rules = [
        direction !== "incoming" ? `ip saddr ${list(addresses)} ip daddr ${list(others)} drop` : "",
        direction !== "outgoing" ? `ip saddr ${list(others)} ip daddr ${list(addresses)} drop` : "",
    ];
    const chain = ["chain frames {", "type filter hook prerouting priority 0", ...rules.filter(Boolean), "}"];
    await nft(switchFile, [...removal(name), `table bridge ${name} {`, ...chain, "}"]);
}

export async function clearPartition(switchFile: string, name: string): Promise<void> {
    await nft(switchFile, removal(name));
}

function removal(name: string): readonly string[] {
    // Adding first makes the deletion succeed whether it was there or not.
    return [`add table bridge ${name}`, `delete table bridge ${name}`];
}

function list(addresses: readonly string[]): string {
    return `{ ${addresses.join(", ")} }`;
}

async function nft(switchFile: string, lines: readonly string[]): Promise<void> {
    await succeed("nsenter", [`--net=${switchFile}`, "nft", "-f", "-"], { stdin: `${lines.join("\n")}\n` });
}
