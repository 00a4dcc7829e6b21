"use strict";
// Plain JavaScript: bootstrap.js needs it before any TypeScript can run.

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

// The lock belongs to the open file, not to the `flock` process that takes it: it lasts until we close the file, and the
// kernel closes it for us however we die.
function flock(descriptor, ...options) {
    return new Promise((resolve, reject) => {
        const child = spawn("flock", [...options, "3"], { stdio: ["ignore", "ignore", "inherit", descriptor] });
        child.once("error", () => reject(new Error("`flock` is missing: install the package util-linux")));
        child.once("exit", (code, signal) =>
            signal ? reject(new Error(`flock ended by ${signal}`)) : resolve(code === 0),
        );
    });
}

function describeHolder(file) {
    const [pid, what] = fs.readFileSync(file, "utf8").split("\n");
    return pid ? `process ${pid}, which ${what}` : "another process";
}

/** See lock.d.ts. */
async function withLock(file, what, work) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const descriptor = fs.openSync(file, "a+");
    try {
        if (!(await flock(descriptor, "--nonblock"))) {
            console.error(`waiting for ${describeHolder(file)}`);
            if (!(await flock(descriptor))) throw new Error(`${file}: could not be locked`);
        }
        fs.ftruncateSync(descriptor);
        fs.writeSync(descriptor, `${process.pid}\n${what}\n`);
        return await work();
    } finally {
        fs.closeSync(descriptor);
    }
}

module.exports = { withLock };
