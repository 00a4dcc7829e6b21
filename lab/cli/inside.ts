import { parseArgs } from "node:util";

import { foreground } from "../command";
import { attachLab, LAB_USERS } from "../lab";
import { refuseRest, takeWords } from "./command";
import type { Command } from "./command";

export const ssh: Command = {
    usage: "STACK HOST [COMMAND…]",
    summary: "logs in, through the bastion where there is one",
    options: [["--user NAME", `${Object.keys(LAB_USERS).join(", ")} (default: root); before STACK`]],
    run: async (args) => {
        const { values, rest: words } = leadingOptions(args);
        const { stack, host: name, rest } = takeWords(words, "stack", "host");
        const lab = await attachLab(stack);
        const host = lab.host(name);
        return foreground("ssh", [...lab.sshOptions(host), `${values.user}@${host.address}`, ...rest]);
    },
};

export const exec: Command = {
    usage: "STACK HOST COMMAND…",
    summary: "runs a shell command as root, without SSH or network",
    run: async (args) => {
        const { stack, host: name, rest } = takeWords(args, "stack", "host", "command");
        return (await attachLab(stack)).host(name).runInForeground([args[2], ...rest].join(" "));
    },
};

export const logs: Command = {
    usage: "STACK HOST [UNIT]",
    summary: "shows the journal, of one unit or of all",
    options: [["--lines NUMBER", "how many of the last lines (default: 200); before STACK"]],
    run: async (args) => {
        const { values, rest: words } = leadingOptions(args);
        const { stack, host, rest } = takeWords(words, "stack", "host");
        const [unit, ...more] = rest;
        refuseRest(more);
        process.stdout.write(await (await attachLab(stack)).host(host).journal(unit, Number(values.lines)));
        return 0;
    },
};

export const diagnose: Command = {
    usage: "STACK DIRECTORY",
    summary: "writes each host's journal, failed units, firewall and list of etcd's files to a directory",
    run: async (args) => {
        const { stack, directory, rest } = takeWords(args, "stack", "directory");
        refuseRest(rest);
        await (await attachLab(stack)).diagnostics(directory);
        return 0;
    },
};

/** Options up to the first word; what follows belongs to the command that runs in the host. */
function leadingOptions(args: readonly string[]): {
    readonly values: { readonly user: string; readonly lines: string };
    readonly rest: readonly string[];
} {
    const first = args.findIndex((arg, index) => !arg.startsWith("--") && !isOptionValue(args[index - 1]));
    const split = first < 0 ? args.length : first;
    const { values } = parseArgs({
        args: args.slice(0, split),
        options: { user: { type: "string", default: "root" }, lines: { type: "string", default: "200" } },
    });
    return { values, rest: args.slice(split) };
}

function isOptionValue(before: string | undefined): boolean {
    return before !== undefined && before.startsWith("--") && !before.includes("=");
}
