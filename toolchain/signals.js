"use strict";

const fs = require("node:fs");

// A terminal's Ctrl-C reaches every process in the foreground, our child too. Handing it on as well would make it two, and
// the engine takes the second as "stop at once".
function isInForeground() {
    const fields = fs.readFileSync("/proc/self/stat", "utf8").split(") ").at(-1).split(" ");
    const [group, terminalGroup] = [fields[2], fields[5]];
    return group === terminalGroup;
}

/** See signals.d.ts. */
function passSignals(child) {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
        const pass = () => {
            if (signal === "SIGINT" && isInForeground()) return;
            child.kill(signal);
        };
        process.on(signal, pass);
        child.once("exit", () => process.off(signal, pass));
    }
}

module.exports = { passSignals };
