import { shellQuote } from "../quote";

/** How a host's user becomes root. */
export interface BecomeRoot {
    readonly sudo: boolean;
    /** sudo asks for the user's password. */
    readonly hasSudoPassword: boolean;
}

/** What is before it on stdin is sudo's password, if sudo did not ask for it. */
const BEGIN = "# pulumi-etcd";

// It holds no exclamation mark: it is quoted for whatever shell the user logs in with. A script that was cut off on the way defines no
// function, and does nothing.
const READER = `while IFS= read -r l; do case "$l" in "${BEGIN}") break;; esac; done; eval "$(cat)"; stage`;

/**
 * The command that stages. It is the same whatever is staged, and short, because the engine shows it with each error: the script, which
 * holds private keys, comes over stdin.
 */
export function stageCommand({ sudo, hasSudoPassword }: BecomeRoot, limitSeconds: number): string {
    const becomeRoot = sudo ? ["sudo", ...(hasSudoPassword ? ["-S", "-p", "''"] : ["-n"]), "--"] : [];
    const limit = ["timeout", "-k", "2", String(limitSeconds)];
    return ["exec", "env", "LC_ALL=C", ...becomeRoot, ...limit, "/bin/sh", "-c", shellQuote(READER)].join(" ");
}

/** What the command reads. */
export function stageInput(script: string, sudoPassword: string | undefined): string {
    const lines = [
        BEGIN,
        "stage() {",
        "LC_ALL=C; export LC_ALL",
        "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin",
        script,
        "}",
        "",
    ];
    return [...(sudoPassword === undefined ? [] : [sudoPassword]), ...lines].join("\n");
}
