import type { LabHost } from "../lab";

/**
 * A host that can't call another one's port any more, though that one can call it: connections that it made there end.
 * @returns lets it call again
 */
export async function keepFromCalling(host: LabHost, other: LabHost, port: number): Promise<() => Promise<void>> {
    const table = "table inet uncalled";
    const calls = `ip daddr ${other.address} tcp dport ${port} tcp flags & (syn | ack) == syn`;
    await host.output(
        `nft '${table} { chain out { type filter hook output priority 0; ${calls} drop; }; }'
        ss --tcp --kill dst ${other.address} and '( dport = :${port} )'`,
    );
    return async () => void (await host.output(`nft delete ${table}`));
}
