import type { dynamic } from "@pulumi/pulumi";

/** @param moduleName a module below `components/` that exports check, diff, create, read, update and remove */
export function forwardTo(moduleName: string): dynamic.ResourceProvider;
