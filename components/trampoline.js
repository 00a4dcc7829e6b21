"use strict";

/** A dynamic provider whose methods hold no logic, only the name of the module that does. It runs from its text alone. */
function provider(moduleName) {
    const call = async (method, args) => {
        const { createRequire } = require("module");
        const program = createRequire(process.cwd() + "/");
        const file = program.resolve("pulumi-etcd/components/" + moduleName);
        if (file.endsWith(".ts")) createRequire(file)("pulumi-etcd/load-typescript");
        return program(file)[method](...args);
    };
    return {
        check: (olds, news) => call("check", [olds, news]),
        diff: (id, olds, news) => call("diff", [id, olds, news]),
        create: (inputs) => call("create", [inputs]),
        read: (id, props) => call("read", [id, props]),
        update: (id, olds, news) => call("update", [id, olds, news]),
        delete: (id, props) => call("remove", [id, props]),
    };
}

/**
 * What the engine's provider for dynamic resources is told, and what state keeps: this file's own text, the same on every machine and
 * after every compiler. The SDK would find the same by serializing the provider, which takes it longer than all the rest of an `up`
 * without changes takes us.
 */
function providerText(moduleName) {
    return `exports.handler = () => (${provider})(${JSON.stringify(moduleName)});`;
}

module.exports = { providerText };
