/** Hosts → what is there, as they tell it themselves. Changes nothing, and knows nothing of what this state holds. */
import { together } from "../adoption/authorities";
import { readFiles } from "../adoption/lent";
import type { ConnectionPool, SshConnection } from "../remote/connectionPool";
import { isRemoteError } from "../remote/errors";
import { whyCommandRefuses } from "../remote/hostKeys";
import { wholeAnswer } from "../remote/wholeAnswer";
import { factsScript, parseFacts, type Facts } from "./facts";
import type { ProvisionHost, ProvisionInputs } from "./inputs";

/** Of one host, at its address: what it said, or why it said nothing. */
export type Sight = { readonly address: string } & (
    | {
          readonly facts: Facts;
          /** Why staging would not be let in, which logs in another way. */
          readonly hostKeyProblems: readonly string[];
          /** When it was asked, and when all was seen, in ms since 1970 by this machine's clock. */
          readonly askedMs: number;
          readonly seenMs: number;
      }
    | { readonly failure: string }
);

/** @returns in the order of the declared hosts. Never fails. */
export function see(pool: ConnectionPool, inputs: ProvisionInputs): Promise<readonly Sight[]> {
    return Promise.all(inputs.hosts.map((host) => seeHost(pool, inputs, host)));
}

async function seeHost(pool: ConnectionPool, inputs: ProvisionInputs, host: ProvisionHost): Promise<Sight> {
    const { address } = host;
    const { commandSeconds = 60 } = inputs;
    try {
        const connection = await pool.connect(host.ssh);
        const askedMs = Date.now();
        const answer = await wholeAnswer(connection, factsScript(inputs, host), commandSeconds);
        const facts = await withAuthorities(connection, parseFacts(answer));
        return { address, facts, hostKeyProblems: hostKeyProblems(connection), askedMs, seenMs: Date.now() };
    } catch (error) {
        return { address, failure: whyNot(error) };
    }
}

/** Staging logs in by `@pulumi/command`, and so by one key of each host on the way. */
function hostKeyProblems({ target, hostKey, bastion }: SshConnection): readonly string[] {
    const own = whyCommandRefuses(target, hostKey);
    return [...(bastion ? hostKeyProblems(bastion) : []), ...(own === undefined ? [] : [own])];
}

/** What was set up by hand trusts whom its own settings name. */
async function withAuthorities(connection: SshConnection, facts: Facts): Promise<Facts> {
    if (!facts.foreign?.isRunning) return facts;
    const { options } = facts.foreign;
    const [clientCa, peerCa] = [options.get("trusted-ca-file"), options.get("peer-trusted-ca-file")];
    if (!clientCa || !peerCa) return facts;
    return { ...facts, authorities: together([await readFiles(connection, { clientCa, peerCa })]) };
}

function whyNot(error: unknown): string {
    const message = error instanceof Error ? error.message : String(error);
    const isAway = isRemoteError(error, "unreachable") || isRemoteError(error, "refused");
    return isAway ? `${message}, or take it off the list` : message;
}
