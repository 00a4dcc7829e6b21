import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import { withInherited, type Authorities } from "./adoption/authorities";
import { commandConnection } from "./connection";
import { renderGeneration } from "./host/generation";
import type { HostCertificates, HostSettings } from "./host/settings";
import { renderStage } from "./host/stage";
import { stageCommand, stageInput } from "./host/stageCommand";
import type { ResolvedSsh } from "./resolveSsh";

/** What one host is prepared with. */
export interface EtcdHostInputs {
    readonly settings: HostSettings;
    readonly ssh: ResolvedSsh;
    /** PEM texts. */
    readonly certificates: { readonly [Part in keyof HostCertificates]: pulumi.Input<string> };
    /** What the cluster trusted before it was taken over; undefined when it is this stack's alone. @default undefined */
    readonly inherited?: pulumi.Input<Authorities | undefined>;
    /** Which stack's state this is for; noted on the host. */
    readonly owner: pulumi.Input<string>;
    /** How long the host may take to lay down its files, in seconds. @default 180 */
    readonly stageTimeoutSeconds?: number;
    /** The files are laid down again when one of these values changes. @default none */
    readonly triggers?: readonly pulumi.Input<string>[];
}

/**
 * One prepared host: everything that a member needs lies there, as a new generation beside the one that runs. It never starts, stops
 * or joins etcd, and its end changes nothing on the host: that is membership's.
 */
export class EtcdHost extends pulumi.ComponentResource {
    /** The digest of the generation that is staged on the host. */
    readonly generation: pulumi.Output<string>;

    constructor(name: string, inputs: EtcdHostInputs, opts?: pulumi.ComponentResourceOptions) {
        super("etcd:index:EtcdHost", name, {}, opts);
        const { settings, ssh, certificates } = inputs;

        const becomeRoot = { sudo: ssh.sudo, hasSudoPassword: ssh.sudoPassword !== undefined };
        const staged = new command.remote.Command(
            `${name}-stage`,
            {
                connection: commandConnection(ssh),
                create: stageCommand(becomeRoot, inputs.stageTimeoutSeconds ?? 180),
                stdin: staging(inputs),
                logging: "none",
                addPreviousOutputInEnv: false,
                ...(inputs.triggers && { triggers: [...inputs.triggers] }),
            },
            { parent: this },
        );

        const digest = pulumi
            .all([certificates.clientCa, certificates.peerCa, inputs.inherited])
            .apply(([clientCa, peerCa, inherited]) => {
                const trusted = withInherited({ clientCa, peerCa }, inherited);
                return renderGeneration({ ...settings, ...phaseOf(inherited) }, trusted).digest;
            });
        // Whoever uses the digest can rely on the files being there; a preview, which lays down none, shows what follows from it.
        this.generation = pulumi.runtime.isDryRun()
            ? digest
            : pulumi.all([digest, staged.id]).apply(([known]) => known);
        this.registerOutputs({ generation: this.generation });
    }
}

function phaseOf(inherited: Authorities | undefined): Pick<HostSettings, "isTakingOver" | "isPlain"> {
    return { isTakingOver: inherited !== undefined, isPlain: inherited?.isPlain ?? false };
}

function staging({ settings, ssh, certificates, owner, inherited }: EtcdHostInputs): pulumi.Output<string> {
    const late = pulumi.all([pulumi.output(certificates), ssh.sudoPassword, owner, inherited]);
    const input = late.apply(([pems, sudoPassword, by, former]) => {
        const given = { ...pems, ...withInherited(pems, former) };
        const { script } = renderStage({ ...settings, ...phaseOf(former) }, given, by);
        return stageInput(script, ssh.sudo ? sudoPassword : undefined);
    });
    return pulumi.secret(input);
}
