/** What a host says when it is looked at: all of it, or an error. In half an answer whatever is missing would count as not there. */
import type { SshConnection } from "./ssh";

const END = "\nend=yes\n";

/**
 * Runs a script that only looks, to its last line. It may end with whatever its last command does, and must not call `exit` but to say
 * that the look failed.
 * @returns its stdout
 * @throws Error when it ended otherwise, or before its end; RemoteError as `run`
 */
export async function wholeAnswer(
    connection: Pick<SshConnection, "run">,
    script: string,
    timeoutSeconds: number,
): Promise<string> {
    const { code, stdout, stderr } = await connection.run(`${script}\nprintf '\\nend=yes\\n'`, { timeoutSeconds });
    if (code === 0 && stdout.endsWith(END)) return stdout.slice(0, -END.length + 1);
    // Not what it printed, which may be a key.
    const said = stderr.trim().split("\n").at(-1);
    throw new Error(
        `could not be looked at: its shell ended with exit code ${code}${code === 0 ? ", and not at the last line" : ""}${said ? `: ${said}` : ""}`,
    );
}
