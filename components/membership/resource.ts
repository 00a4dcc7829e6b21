/** The resource of the protocol. The only file of this folder that knows the engine. */
import * as pulumi from "@pulumi/pulumi";

import { DynamicResource } from "../dynamicResource";
import type { LateInputs } from "../late";
import type { MemberRow, MembershipArgs } from "./inputs";

/**
 * The only thing that starts, stops, adds, promotes, removes or restarts a member of one cluster: observes, plans, acts one step, and
 * observes again, until the cluster is as declared.
 */
export class EtcdMembership extends DynamicResource {
    declare readonly clusterId: pulumi.Output<string>;
    declare readonly initialClusterState: pulumi.Output<"existing">;
    /** Undefined while no run has succeeded, and a run has it untouched (`--target`). */
    declare readonly members: pulumi.Output<readonly MemberRow[] | undefined>;

    constructor(
        name: string,
        args: LateInputs<Omit<MembershipArgs, "isPreview">>,
        opts?: pulumi.CustomResourceOptions,
    ) {
        super(
            "Membership",
            "membership/handler",
            name,
            {
                clusterId: undefined,
                initialClusterState: undefined,
                members: undefined,
                isPreview: pulumi.runtime.isDryRun(),
                ...args,
            },
            { ...opts, additionalSecretOutputs: ["credentials", "hosts", "retired"] },
        );
    }
}
