/** The Pulumi program: builds the environment that is named like the stack. */
import * as pulumi from "@pulumi/pulumi";

import { lab } from "./stacks/lab";
import { tools } from "./stacks/tools";
import { toolsbeta } from "./stacks/toolsbeta";

const environments = { lab, tools, toolsbeta };

function environmentNamed(stack: string): (typeof environments)[keyof typeof environments] {
    if (Object.hasOwn(environments, stack)) return environments[stack as keyof typeof environments];
    throw new pulumi.RunError(
        `stack "${stack}" has no environment; there are ${Object.keys(environments).join(", ")}: select one, or write stacks/${stack}.ts and name it in index.ts`,
    );
}

export = environmentNamed(pulumi.getStack())();
