import type { ChildProcess } from "node:child_process";

/** Hands signals that this process gets on to the child, and waits for the child to end instead of ending at once; until it has ended. */
export function passSignals(child: ChildProcess): void;
