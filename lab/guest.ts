import { atHostsTime, CLOCK_OFFSET_FILE } from "./clock";
import { execute, foreground } from "./command";
import type { CommandOptions, CommandResult } from "./command";

export type RunOptions = Pick<CommandOptions, "stdin" | "timeoutSeconds">;

/** What a program in a host finds in its environment. */
export const GUEST_ENVIRONMENT = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    LANG: "C.UTF-8",
};

/**
 * Runs its arguments as a child of the host's process 1, and ends with their exit code. A host that shuts down waits long
 * for processes whose parent is out here. So what this shell starts, the first in the host's process namespace, starts the
 * command in the background and ends; the code comes through a pipe (descriptor 3), which is closed when the command ends,
 * without a code if that was killed with all around it.
 */
const LEAVE = `
exec 4<&0 5>&1
code=$( ( ( "$@" <&4 3>&- 4<&- 5>&-; echo $? >&3 ) & ) 3>&1 >&5 )
exit "\${code:-137}"
`;

/** Arguments of nsenter for a command in the host whose process 1 this is. */
function enter(init: number, command: string): readonly string[] {
    const target = ["--target", String(init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"];
    // What nsenter starts has all of this machine's rights; the clock and the kernel are not the host's to change.
    const rights = ["--bounding-set", "-sys_time,-sys_module,-sys_rawio,-sys_boot"];
    const inside = ["setpriv", ...rights, "/bin/sh", "-c", command];
    return [...target, "--no-fork", "--wdns=/root", "--", "/bin/sh", "-c", LEAVE, "sh", ...inside];
}

/** The inside of a host: its programs, files and journal. None of this needs SSH or the network. */
export abstract class Guest {
    constructor(readonly name: string) {}

    /** The host's process 1, as a process id of this machine; waits while the host boots. */
    protected abstract whenUp(): Promise<number>;

    /**
     * Runs a shell command as root in the host, without SSH or network, so that it works whatever happened to those. It is
     * not frozen with the host.
     * @throws when the host is down, or the command outlives its time (60 s by default)
     */
    async run(command: string, options: RunOptions = {}): Promise<CommandResult> {
        const args = enter(await this.whenUp(), command);
        return execute("nsenter", args, { ...options, environment: GUEST_ENVIRONMENT });
    }

    /** Like `run`, with this process's own input and output, and no end in time. Gives the exit code. */
    async runInForeground(command: string): Promise<number> {
        return foreground("nsenter", enter(await this.whenUp(), command), GUEST_ENVIRONMENT);
    }

    /** Like `run`, but an exit code other than 0 is an error. Returns the standard output. */
    async output(command: string, options: RunOptions = {}): Promise<string> {
        const { stdout, stderr, code } = await this.run(command, options);
        if (code === 0) return stdout;
        const said = (stderr || stdout).trim();
        throw new Error(`host "${this.name}": "${command}" failed with exit code ${code}: ${said}`);
    }

    /** @throws when there is no such file */
    async readFile(path: string): Promise<string> {
        return this.output(`cat -- ${quote(path)}`);
    }

    /** Writes a file, and the directories that it lacks. `mode` is 0644 by default. */
    async writeFile(path: string, content: string | Buffer, mode = 0o644): Promise<void> {
        const [file, partial] = [quote(path), quote(`${path}.partial`)];
        const write = `(umask 077 && cat > ${partial}) && chmod ${mode.toString(8)} ${partial} && mv ${partial} ${file}`;
        await this.output(`mkdir -p "$(dirname -- ${file})" && ${write}`, { stdin: content });
    }

    /** Removes all that is in a directory, not the directory itself. */
    async wipe(directory: string): Promise<void> {
        await this.output(`find ${quote(directory)} -mindepth 1 -delete`);
    }

    /** The last lines of the journal, of one unit or of all. 200 lines by default. */
    async journal(unit?: string, lines = 200): Promise<string> {
        const ofUnit = unit === undefined ? "" : `--unit ${quote(unit)}`;
        return this.output(`journalctl --no-pager --lines ${lines} ${ofUnit}`);
    }

    /** Whether a TCP connection from this host is accepted; false when it is refused, or not answered in time. */
    async connect(address: string, port: number, timeoutMs = 1000): Promise<boolean> {
        const attempt = `exec 3<>/dev/tcp/${address}/${port}`;
        return (await this.run(`timeout ${timeoutMs / 1000} bash -c ${quote(attempt)}`)).code === 0;
    }

    /** Stops every process of a program where it is (SIGSTOP): its connections stay open and it does not answer. */
    async freezeProcess(program: string): Promise<void> {
        await this.output(`kill -STOP $(pidof ${quote(program)})`);
    }

    async thawProcess(program: string): Promise<void> {
        await this.output(`kill -CONT $(pidof ${quote(program)})`);
    }

    /**
     * Makes `date`, `openssl` and programs of `skewedRelease` see another time, ahead or (if negative) behind, all at once and over
     * reboots, too; 0 takes it back. Linux has one clock for all hosts of a machine, so everything else, any other etcd and the
     * journal included, sees the true one.
     */
    async setClockOffset(seconds: number): Promise<void> {
        await this.writeFile(CLOCK_OFFSET_FILE, String(seconds));
        for (const program of ["/usr/bin/date", "/usr/bin/openssl"]) {
            const original = `${program}.true-time`;
            if ((await this.run(`test -e ${original}`)).code === 0) continue;
            const library = (await this.output("dpkg --listfiles libfaketime | grep '/libfaketime[.]so[.]1$'")).trim();
            // Copied, so that the program is there at all times.
            await this.output(`cp -p ${program} ${original}.partial && mv ${original}.partial ${original}`);
            await this.writeFile(program, atHostsTime(original, library), 0o755);
        }
    }
}

/** A word for a POSIX shell. */
function quote(text: string): string {
    return `'${text.replaceAll("'", `'\\''`)}'`;
}
