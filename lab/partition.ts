import { succeed } from "./command";
import { portName, switchFile } from "./network";

/** Which way is blocked, seen from the host. */
export type Direction = "both" | "incoming" | "outgoing";

/** Drops, on the switch, what a host and the given addresses send each other. Replaces what was dropped for it before. */
export async function setPartition(
    environment: string,
    host: { readonly name: string; readonly addresses: readonly string[] },
    others: readonly string[],
    direction: Direction,
): Promise<void> {
    const own = list(host.addresses);
    const rules = [
        direction !== "incoming" ? `ip saddr ${own} ip daddr ${list(others)} drop` : "",
        direction !== "outgoing" ? `ip saddr ${list(others)} ip daddr ${own} drop` : "",
    ];
    const chain = `chain frames { type filter hook prerouting priority 0; ${rules.filter(Boolean).join("; ")}; }`;
    await nft(environment, `${removal(host.name)}\ntable bridge ${table(host.name)} { ${chain} }\n`);
}

export async function clearPartition(environment: string, host: string): Promise<void> {
    await nft(environment, `${removal(host)}\n`);
}

function removal(host: string): string {
    // Adding first makes the deletion succeed whether it was there or not.
    return `add table bridge ${table(host)}\ndelete table bridge ${table(host)}`;
}

/** What a host's table on the switch is called. */
function table(host: string): string {
    return `of_${portName(host)}`;
}

function list(addresses: readonly string[]): string {
    return `{ ${addresses.join(", ")} }`;
}

async function nft(environment: string, commands: string): Promise<void> {
    await succeed("nsenter", [`--net=${switchFile(environment)}`, "nft", "-f", "-"], { stdin: commands });
}
