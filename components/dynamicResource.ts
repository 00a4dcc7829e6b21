import * as pulumi from "@pulumi/pulumi";

import { providerText } from "./trampoline";

/** A dynamic resource of type `pulumi-nodejs:dynamic/etcd:<type>` whose provider is a module of this package. */
export class DynamicResource extends pulumi.CustomResource {
    constructor(
        type: string,
        moduleName: string,
        name: string,
        props: pulumi.Inputs,
        opts: pulumi.CustomResourceOptions,
    ) {
        super(`pulumi-nodejs:dynamic/etcd:${type}`, name, { ...props, __provider: providerText(moduleName) }, opts);
    }
}
