/** The SSH agent of whoever is logged in, which `@pulumi/command` asks for whatever a login is by. */
import { connect } from "node:net";

import { AGENT_VARIABLE, SESSION_AGENT, type SshTarget } from "./target";

/** @returns why staging would not get in; undefined where it would */
export async function whyCommandFails(targets: readonly SshTarget[]): Promise<string | undefined> {
    const socket = process.env[AGENT_VARIABLE];
    if (!socket || !targets.some(leavesAgentOpen) || (await isAnswering(socket))) return undefined;
    return `${AGENT_VARIABLE} is ${socket}, where no agent answers, and @pulumi/command ends with that, whatever the login is by: unset it, or start an agent`;
}

/** One that names its agent is not asked for another (pulumi-command, provider/pkg/provider/remote/connection.go). */
function leavesAgentOpen({ agentSocket, bastion }: SshTarget): boolean {
    const isOpen = agentSocket === undefined || agentSocket === SESSION_AGENT;
    return isOpen || (bastion !== undefined && leavesAgentOpen(bastion));
}

function isAnswering(path: string): Promise<boolean> {
    return new Promise((resolve) => {
        const socket = connect(path);
        const settle = (isThere: boolean) => () => {
            socket.destroy();
            resolve(isThere);
        };
        socket.on("connect", settle(true)).on("error", settle(false));
    });
}
