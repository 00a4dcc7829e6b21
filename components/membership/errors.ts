import { nextLine, ONCE_DONE, ONCE_ENDED } from "../nextCommand";
import { isRemoteError } from "../remote/errors";
import type { SshTarget } from "../remote/target";

/** A run that ended before all was as wanted. `message` is for the operator: what, where, wanted against found, what to do. */
export class MembershipError extends Error {
    override readonly name = "MembershipError";
}

export function messageOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

/** What to type next, as the last line of an error. */
export function withNext(message: string, next: string): string {
    return message.includes(`\n${nextLine("")}`) ? message : `${message}\n${nextLine(next)}`;
}

/** After something that has to be put right first: what shows that it is, where a host is away, and `up`. */
export function afterRepair(away: SshTarget | undefined): string {
    return away ? `${loginCommand(away)}, then pulumi up` : ONCE_DONE;
}

/** After a run that failed. */
export function afterFailure(error: unknown): string {
    return isRemoteError(error, "lock-held") ? ONCE_ENDED : "pulumi up";
}

/** What shows whether a host lets us in: what to type when it does not. */
function loginCommand({ user, address, port, bastion }: SshTarget): string {
    const way = bastion ? `-J ${bastion.user}@${bastion.address}:${bastion.port ?? 22} ` : "";
    return `ssh ${way}${port === undefined || port === 22 ? "" : `-p ${port} `}${user}@${address} true`;
}
