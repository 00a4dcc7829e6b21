import { shellQuote } from "./quote";
import type { SshTarget } from "./target";

/**
 * How a script gets to a host: the command line is a constant, all else comes over stdin, so that no secret is ever seen in a
 * process list, an environment or a log. The order on stdin:
 *
 *     [sudo's password]          read by sudo, or skipped by the reader if sudo did not ask
 *     pulumi-etcd-script LENGTH  then that many bytes of script
 *     the script's own stdin     to end of file
 *
 * The reader says on stdout and on stderr that it has started. Whatever comes before is a login shell's noise, or sudo's.
 */
const TOKEN = "pulumi-etcd-script";

/** What both streams hold right before the script's own output. */
export const STARTED = `${TOKEN} started\n`;

/** The script's last line: a script that was cut off on the way is not run. */
const LAST_LINE = `\n# ${TOKEN} end`;

// The shell reads lines byte by byte from a pipe, and head no more than it is asked for, so the script's own stdin is left whole.
// It holds no single quote and no exclamation mark: it is quoted for whatever shell the user logs in with.
const READER = [
    `LC_ALL=C; export LC_ALL; PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"`,
    `printf "${TOKEN} started\\n"; printf "${TOKEN} started\\n" >&2`,
    `while IFS= read -r l; do case "$l" in "${TOKEN} "*) break;; esac; done`,
    `s=$(head -c "\${l#${TOKEN} }")`,
    `case "$s" in *"# ${TOKEN} end") ;; *) exit 97;; esac`,
    `unset l; eval "$s"`,
].join("; ");

/** Whether a script of this target goes through sudo. */
export function usesSudo(target: SshTarget, asRoot: boolean): boolean {
    return asRoot && (target.sudo ?? target.user !== "root");
}

/**
 * The command line that starts the reader.
 * @param limitSeconds the host ends the script itself after that time, for when nobody is there any more to do it; undefined: never
 */
export function readerCommand(target: SshTarget, asRoot: boolean, limitSeconds: number | undefined): string {
    const words = ["exec", "env", "LC_ALL=C"];
    if (usesSudo(target, asRoot)) {
        words.push("sudo", ...(target.sudoPassword === undefined ? ["-n"] : ["-S", "-p", "''"]), "--");
    }
    if (limitSeconds !== undefined) words.push("timeout", "-k", "2", String(Math.ceil(limitSeconds)));
    words.push("/bin/sh", "-c", shellQuote(READER));
    return words.join(" ");
}

/** What to send for a script, before its own stdin. */
export function frameScript(script: string): Buffer {
    const body = Buffer.from(script + LAST_LINE);
    return Buffer.concat([Buffer.from(`${TOKEN} ${body.length}\n`), body]);
}
