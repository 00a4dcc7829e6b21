"use strict";

// Loaded before anything large, by the program and by the process of its providers: what Node has compiled once is kept for the next run.
// It lies in the user's own cache directory, since code that somebody else could put there would be run. NODE_COMPILE_CACHE says another
// place, and NODE_DISABLE_COMPILE_CACHE=1 switches it off. Plain JavaScript, as what loads it first.

const nodeModule = require("node:module");
const { homedir } = require("node:os");
const { isAbsolute, join } = require("node:path");

// What Node has since 22.10, or less: without it everything works, more slowly.
const { enableCompileCache, flushCompileCache } = nodeModule;

// The XDG specification: a relative path is invalid and to be ignored.
const { XDG_CACHE_HOME: asked = "" } = process.env;
enableCompileCache?.(join(isAbsolute(asked) ? asked : join(homedir(), ".cache"), "pulumi-etcd", "compiled"));

/** Writes down what was compiled, for a process that will be killed. Takes no time when nothing is new. */
function keepCompiled() {
    setImmediate(() => flushCompileCache?.());
}

module.exports = { keepCompiled };
