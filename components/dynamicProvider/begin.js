"use strict";

// The SDK's own provider for dynamic resources, begun sooner than the engine begins it: what Node compiles of it is kept, and what only a
// program needs, to turn closures into text, is loaded when somebody uses it. docs/decisions/0014-provider-begins-sooner.md

const { keepCompiled } = require("../compileCache");
const Module = require("node:module");

const program = Module.createRequire(`${process.cwd()}/`);
const provider = program.resolve("@pulumi/pulumi/cmd/dynamic-provider");

for (const name of ["typescript", "@npmcli/arborist"]) loadWhenUsed(name);
program(provider);
keepCompiled();

/** Whoever requires the module gets what looks like it, and is it as soon as anything of it is looked at. */
function loadWhenUsed(name) {
    const sdk = Module.createRequire(provider);
    let file;
    try {
        file = sdk.resolve(name);
    } catch {
        return; // The SDK has something else in its place, or another version of it has no need.
    }
    let loaded;
    const load = () => {
        if (loaded === undefined) {
            delete require.cache[file];
            loaded = sdk(file);
        }
        return loaded;
    };
    const placeholder = new Module(file);
    placeholder.filename = file;
    placeholder.loaded = true;
    placeholder.exports = new Proxy(
        {},
        {
            // Compilers ask for the first to know what an import gets, and for the second if they are told yes.
            get: (_, key) => (key === "__esModule" ? true : key === "default" ? load() : load()[key]),
            set: (_, key, value) => Reflect.set(load(), key, value),
            has: (_, key) => key in load(),
            ownKeys: () => Reflect.ownKeys(load()),
            getOwnPropertyDescriptor: (_, key) => {
                const found = Reflect.getOwnPropertyDescriptor(load(), key);
                return found && { ...found, configurable: true };
            },
        },
    );
    require.cache[file] = placeholder;
}
