/**
 * Imported before anything large, by the program and by the provider's process: what Node has compiled once is kept for the next run. It
 * lies in the user's own cache directory, since code that somebody else could put there would be run. `NODE_COMPILE_CACHE` says another
 * place, and `NODE_DISABLE_COMPILE_CACHE=1` switches it off.
 */
import * as nodeModule from "node:module";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

// What Node has since 22.10, or less: without it everything works, more slowly.
const { enableCompileCache, flushCompileCache } = nodeModule as Partial<typeof nodeModule>;

// The XDG specification: a relative path is invalid and to be ignored.
const { XDG_CACHE_HOME: asked = "" } = process.env;
enableCompileCache?.(join(isAbsolute(asked) ? asked : join(homedir(), ".cache"), "pulumi-etcd", "compiled"));

/** Writes down what was compiled, for a process that will be killed. Takes no time when nothing is new. */
export function keepCompiled(): void {
    setImmediate(() => flushCompileCache?.());
}
