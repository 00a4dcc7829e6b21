import { existsSync, readFileSync } from "node:fs";

/** In /proc/net/tcp: local port 22 in state 10, LISTEN. */
const SSH_LISTENS = /:0016 [0-9A-F]+:0000 0A/;

/**
 * Whether the host whose process 1 this is takes logins: its SSH server listens, and it lets in others than root, which it
 * does not yet while it boots. Looked up in the kernel, since a connection would leave its trace in the host's journal and
 * newer SSH servers hold it against the address that it came from.
 */
export function takesLogins(init: number): boolean {
    try {
        return (
            SSH_LISTENS.test(readFileSync(`/proc/${init}/net/tcp`, "utf8")) &&
            !existsSync(`/proc/${init}/root/run/nologin`)
        );
    } catch {
        // The process is gone.
        return false;
    }
}
