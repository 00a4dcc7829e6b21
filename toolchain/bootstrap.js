"use strict";
// Usage: node toolchain/bootstrap.js FILE.ts [ARGUMENT…]
// Brings the npm packages up to date, finds a Node that is new enough, and runs the file under it. No dependency; Node 18 or later.

const { spawn } = require("node:child_process");
const { constants } = require("node:os");
const path = require("node:path");

const root = path.dirname(__dirname);

async function main([file, ...args]) {
    if (!file) throw new Error("usage: node toolchain/bootstrap.js FILE.ts [ARGUMENT…]");
    if (process.platform !== "linux") {
        throw new Error(
            `this needs Linux, and this machine runs ${process.platform}: use a Linux machine, or your own pulumi`,
        );
    }
    const major = Number(process.versions.node.split(".")[0]);
    if (major < 18) {
        throw new Error(
            `this needs Node 18 or later, and ${process.execPath} is ${process.versions.node}: install a newer one`,
        );
    }
    const { ensurePackages } = require("./packages");
    const { ensureNode } = require("./node");
    await ensurePackages(root);
    const node = await ensureNode();
    run(node, ["--require", path.join(__dirname, "register.js"), path.resolve(file), ...args]);
}

function run(node, args) {
    const { passSignals } = require("./signals");
    const child = spawn(node, args, { stdio: "inherit", env: environment(node) });
    passSignals(child);
    child.once("error", fail);
    child.once("exit", (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

// What the file starts must find the same Node, and compiled code is kept: that halves the start of every tool.
function environment(node) {
    const { cacheDirectory } = require("./cacheDirectory");
    const env = { NODE_COMPILE_CACHE: path.join(cacheDirectory(), "compile-cache"), ...process.env };
    if (node !== process.execPath) env.PATH = `${path.dirname(node)}${path.delimiter}${env.PATH ?? ""}`;
    return env;
}

function fail(error) {
    console.error(`error: ${error.message}`);
    process.exit(1);
}

main(process.argv.slice(2)).catch(fail);
