"use strict";

/**
 * A dynamic provider whose methods hold no logic, only the name of the module that does. What is serialized into state is this text,
 * the same on every machine and after every compiler; the module is looked up in the program's own packages when it is needed.
 */
function forwardTo(moduleName) {
    const call = async (method, args) => {
        const { createRequire } = require("module");
        const program = createRequire(process.cwd() + "/");
        const file = program.resolve("pulumi-etcd/components/" + moduleName);
        if (file.endsWith(".ts")) {
            const own = createRequire(file);
            if (!own.extensions[".ts"]) own("ts-node").register({ transpileOnly: true, skipProject: true, swc: true });
        }
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

module.exports = { forwardTo };
