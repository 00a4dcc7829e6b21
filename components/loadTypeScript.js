"use strict";

// Lets the engine's provider process load this checkout's TypeScript, file by file, unchecked. ts-node would take longer to begin than
// all of our modules take to load. The published package is JavaScript and has no such file.

const { readFileSync } = require("node:fs");

const { transformSync } = require("@swc/core");

const options = {
    jsc: { parser: { syntax: "typescript" }, target: "es2022" },
    module: { type: "commonjs" },
    sourceMaps: "inline",
};

require.extensions[".ts"] ??= (module, filename) => {
    const { code } = transformSync(readFileSync(filename, "utf8"), { ...options, filename });
    module._compile(code, filename);
};
