"use strict";
// A Node that @pulumi/pulumi, mocha and ESLint take: this one, or one from the npm registry, pinned by node/package-lock.json.

const { randomUUID } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const { cacheDirectory } = require("./cacheDirectory");
const { withLock } = require("./lock");
const { npm } = require("./packages");

const needed = "22.13 or a later 22, or 24 or later";
const recipe = path.join(__dirname, "node");

/** The path of a Node executable of a version that is taken. */
async function ensureNode() {
    if (isTaken(process.versions.node)) return process.execPath;
    const name = `node-linux-${process.arch}`;
    const version = require("./node/package.json").optionalDependencies[name];
    if (!version) {
        throw new Error(
            `this needs Node ${needed}, found ${process.versions.node}, and none is packaged for ${process.arch}: install one`,
        );
    }
    const directory = path.join(cacheDirectory(), `${name}-${version}`);
    const node = path.join(directory, "node_modules", name, "bin", "node");
    if (fs.existsSync(node)) return node;
    await withLock(
        path.join(cacheDirectory(), "locks", path.basename(directory)),
        `installs Node ${version}`,
        async () => {
            if (fs.existsSync(node)) return;
            console.error(
                `node ${version}: installing from npm, as this Node is ${process.versions.node} and ${needed} is needed`,
            );
            await install(directory);
        },
    );
    return node;
}

// As the `engines` of mocha and ESLint have it.
function isTaken(version) {
    const [major, minor] = version.split(".").map(Number);
    return major === 22 ? minor >= 13 : major >= 24;
}

async function install(directory) {
    const partial = `${directory}.partial-${randomUUID()}`;
    try {
        fs.mkdirSync(partial, { recursive: true });
        for (const file of ["package.json", "package-lock.json"])
            fs.copyFileSync(path.join(recipe, file), path.join(partial, file));
        await npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], partial);
        fs.renameSync(partial, directory);
    } finally {
        fs.rmSync(partial, { recursive: true, force: true });
    }
}

module.exports = { ensureNode };
