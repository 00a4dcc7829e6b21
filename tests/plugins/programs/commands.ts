import type { types } from "@pulumi/command";
import { remote } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

/** One command, named by its key. */
export interface CommandSpec extends Omit<remote.CommandArgs, "connection" | "stdin"> {
    readonly connection: types.input.remote.ConnectionArgs;
    readonly stdin?: string;
    readonly secretStdin?: string;
}

export type CommandsProgram = Readonly<Record<string, CommandSpec>>;

const commands = JSON.parse(process.env.PROGRAM ?? "{}") as CommandsProgram;

for (const [name, { secretStdin, ...args }] of Object.entries(commands)) {
    new remote.Command(name, secretStdin === undefined ? args : { ...args, stdin: pulumi.secret(secretStdin) });
}
