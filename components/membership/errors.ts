import type { SshTarget } from "../remote/ssh";

/** A run that ended before all was as wanted. `message` is for the operator: what, where, wanted against found, what to do. */
export class MembershipError extends Error {
    override readonly name = "MembershipError";
}

export function messageOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

/** What to type next, as the last line of an error. */
export function withNext(message: string, next: string): string {
    return message.includes("\nnext: ") ? message : `${message}\nnext: ${next}`;
}

/** What shows whether a host lets us in: what to type when it does not. */
export function loginCommand({ user, address, port, bastion }: SshTarget): string {
    const way = bastion ? `-J ${bastion.user}@${bastion.address}:${bastion.port ?? 22} ` : "";
    return `ssh ${way}${port === undefined || port === 22 ? "" : `-p ${port} `}${user}@${address} true`;
}
