/** The resource that checks hosts and gives them etcd's binaries. The only file of this folder that knows the engine. */
import * as pulumi from "@pulumi/pulumi";

import type { Authorities } from "../adoption/authorities";
import { DynamicResource } from "../dynamicResource";
import type { LateInputs } from "../late";
import type { ProvisionArgs } from "./inputs";

/**
 * Comes before everything else of a cluster: looks at all its hosts, and only if nothing speaks against any of them puts etcd's binaries
 * there. When it is destroyed, last of all, it clears what a first run that failed half-way may have left.
 */
export class EtcdProvision extends DynamicResource {
    /** By host name: a mark that a host loses with its disk, so that a host which was rebuilt gets its files again. */
    declare readonly incarnations: pulumi.Output<Readonly<Record<string, string>>>;
    /** What the cluster trusted before, while it is taken over; nobody otherwise. */
    declare readonly inherited: pulumi.Output<Authorities>;
    /** Of this state of this stack alone. */
    declare readonly owner: pulumi.Output<string>;

    constructor(name: string, args: LateInputs<Omit<ProvisionArgs, "isPreview">>, opts?: pulumi.CustomResourceOptions) {
        super(
            "Provision",
            "provision/handler",
            name,
            {
                incarnations: undefined,
                inherited: undefined,
                owner: undefined,
                isPreview: pulumi.runtime.isDryRun(),
                ...args,
            },
            { ...opts, additionalSecretOutputs: ["hosts"] },
        );
    }
}
