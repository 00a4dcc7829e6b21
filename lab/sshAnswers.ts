import { connect } from "node:net";

/** Whether an SSH server greets us at the address within a second. */
export function sshAnswers(address: string): Promise<boolean> {
    return new Promise((resolve) => {
        const socket = connect({ host: address, port: 22 });
        const end = (answer: boolean) => {
            socket.destroy();
            resolve(answer);
        };
        socket.setTimeout(1000, () => end(false));
        socket.once("error", () => end(false));
        socket.once("close", () => end(false));
        socket.once("data", (data) => end(data.toString("latin1").startsWith("SSH-")));
    });
}
