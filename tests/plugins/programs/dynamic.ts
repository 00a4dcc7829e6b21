import type * as nodeModule from "node:module";
import type * as nodeUtil from "node:util";

import * as pulumi from "@pulumi/pulumi";
import type * as compiler from "typescript";

/** A resource of the user's own, beside a cluster's. */
export interface DynamicProgram {
    readonly value: string;
}

const provider: pulumi.dynamic.ResourceProvider = {
    check: (_olds, news) =>
        Promise.resolve({
            inputs: news,
            failures: news.value === "refused" ? [{ property: "value", reason: "nobody wants it" }] : [],
        }),
    diff: (_id, olds, news) => Promise.resolve({ changes: olds.value !== news.value, replaces: [] }),
    create: (inputs) => {
        if (inputs.value === "failing") return Promise.reject(new Error("it could not be made"));
        return Promise.resolve({ id: "made", outs: { ...inputs, ...used() } });
    },
    update: (_id, _olds, news) => Promise.resolve({ outs: { ...news, ...used() } }),
};

/** Modules that the SDK needs, too, for what it does in programs; `awaited` if they were not loaded before. */
function used(): { awaited: boolean; compiled: string; resolver: string; startedBy: string } {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- an import would become part of the provider's text
    const { createRequire } = require("node:module") as typeof nodeModule;
    const sdk = createRequire(createRequire(`${process.cwd()}/`).resolve("@pulumi/pulumi/package.json"));
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- as above
    const { isProxy } = (require("node:util") as typeof nodeUtil).types;
    const awaited = ["typescript", "@npmcli/arborist"].every((name) => isProxy(sdk.cache[sdk.resolve(name)]?.exports));
    const typescript = sdk("typescript") as typeof compiler;
    const { Arborist } = sdk("@npmcli/arborist") as { Arborist: { readonly name: string } };
    return {
        awaited,
        compiled: typescript.transpile("const one: number = 1;"),
        resolver: Arborist.name,
        startedBy: process.argv[1]!.split("/").slice(-2).join("/"),
    };
}

class Own extends pulumi.dynamic.Resource {
    declare readonly awaited: pulumi.Output<boolean>;
    declare readonly compiled: pulumi.Output<string>;
    declare readonly resolver: pulumi.Output<string>;
    declare readonly startedBy: pulumi.Output<string>;

    constructor(name: string, { value }: DynamicProgram) {
        super(provider, name, {
            ...{ value, awaited: undefined },
            ...{ compiled: undefined, resolver: undefined, startedBy: undefined },
        });
    }
}

const own = new Own("own", JSON.parse(process.env.PROGRAM ?? "{}") as DynamicProgram);

export const { awaited, compiled, resolver, startedBy } = own;
