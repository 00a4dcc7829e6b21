import type { Command } from "./command";
import { down, status, up } from "./environments";
import { FAULT_COMMANDS } from "./faults";
import { diagnose, exec, logs, ssh } from "./inside";

/** In the order in which the help shows them. */
export const COMMANDS: Readonly<Record<string, Command>> = {
    up,
    down,
    status,
    ssh,
    exec,
    logs,
    diagnose,
    ...FAULT_COMMANDS,
};
