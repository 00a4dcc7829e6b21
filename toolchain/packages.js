"use strict";
// The npm packages of this checkout, as its lock file has them.

const { spawn } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const { cacheDirectory } = require("./cacheDirectory");
const { withLock } = require("./lock");

/** Installs the packages when node_modules is missing, or was made from another lock file or on another platform. */
async function ensurePackages(root) {
    if (isCurrent(root)) return;
    const lock = path.join(cacheDirectory(), "locks", `packages-${digest(root).slice(0, 16)}`);
    await withLock(lock, `installs the npm packages in ${root}`, async () => {
        if (isCurrent(root)) return;
        if (!matchesLockFile(root)) {
            console.error("npm packages: installing (npm ci)");
            const start = Date.now();
            await npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], root);
            console.error(`npm packages: ready after ${Math.round((Date.now() - start) / 1000)} s`);
        }
        fs.mkdirSync(path.dirname(stampFile(root)), { recursive: true });
        fs.writeFileSync(stampFile(root), stamp(root));
    });
}

function isCurrent(root) {
    return readIfThere(stampFile(root)) === stamp(root);
}

function stampFile(root) {
    return path.join(root, "node_modules", ".pulumi-etcd-lock");
}

function stamp(root) {
    const lockFile = fs.readFileSync(path.join(root, "package-lock.json"));
    return [digest(lockFile), process.platform, process.arch, libc()].join(" ");
}

function libc() {
    return process.report?.getReport().header.glibcVersionRuntime ? "glibc" : "musl";
}

function digest(content) {
    return createHash("sha256").update(content).digest("hex");
}

function readIfThere(file) {
    try {
        return fs.readFileSync(file, "utf8");
    } catch {
        return undefined;
    }
}

// Somebody who ran `npm ci` by hand should not wait for a second one: npm records what it installed.
function matchesLockFile(root) {
    const installed = readIfThere(path.join(root, "node_modules", ".package-lock.json"));
    if (installed === undefined) return false;
    const there = JSON.parse(installed).packages;
    const wanted = JSON.parse(fs.readFileSync(path.join(root, "package-lock.json"), "utf8")).packages;
    return Object.entries(wanted).every(
        ([place, entry]) =>
            place === "" || (there[place] ? there[place].version === entry.version : mayBeAbsent(entry)),
    );
}

// What is optional may have failed to install, but what is for this platform alone is what others can't do without.
function mayBeAbsent({ optional, os, cpu, libc: library }) {
    if (!optional) return false;
    if (!os && !cpu && !library) return true;
    return !(includes(os, process.platform) && includes(cpu, process.arch) && includes(library, libc()));
}

// As npm reads these lists: nothing, or nothing but "!x", is all others.
function includes(list = [], value) {
    const items = [list].flat();
    if (items.includes(`!${value}`)) return false;
    return items.includes(value) || items.includes("any") || items.every((item) => item.startsWith("!"));
}

/** Runs the npm that started us, else the one on PATH. Its output goes to stderr. */
function npm(args, directory) {
    const own = process.env.npm_execpath;
    const [command, first] = own?.endsWith(".js") ? [process.execPath, [own]] : ["npm", []];
    return new Promise((resolve, reject) => {
        const child = spawn(command, [...first, ...args], { cwd: directory, stdio: ["ignore", 2, 2] });
        child.once("error", (error) =>
            reject(new Error(`npm could not be started (${error.message}): install it with Node`)),
        );
        child.once("exit", (code) => {
            if (code === 0) return resolve();
            reject(
                new Error(
                    `npm ${args[0]} failed (exit code ${code}, see above): the npm registry must be reachable once`,
                ),
            );
        });
    });
}

module.exports = { ensurePackages, npm };
