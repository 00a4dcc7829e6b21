"use strict";

const os = require("node:os");
const path = require("node:path");

/** See cacheDirectory.d.ts. */
function cacheDirectory() {
    const base = process.env.XDG_CACHE_HOME;
    // The XDG specification: a relative path is invalid and to be ignored.
    return path.join(base && path.isAbsolute(base) ? base : path.join(os.homedir(), ".cache"), "pulumi-etcd");
}

module.exports = { cacheDirectory };
