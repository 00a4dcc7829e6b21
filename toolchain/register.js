"use strict";
// Lets this process load TypeScript: translated file by file, never type-checked (that is what `npm run typecheck` is for).

const path = require("node:path");

require("ts-node").register({
    cwd: path.dirname(__dirname),
    project: path.join(__dirname, "..", "tsconfig.json"),
    swc: true,
});
