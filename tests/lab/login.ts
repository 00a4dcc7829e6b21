import { Client } from "ssh2";

import type { Lab, LabHost } from "../../lab";
import { execute } from "../../lab/command";
import type { CommandResult } from "../../lab/command";

/** Runs a command by the ssh program, with the environment's key and known hosts. */
export function overSsh(lab: Lab, host: LabHost, user: string, command: string): Promise<CommandResult> {
    const options = [...lab.sshOptions(host), "-o", "ConnectTimeout=10", "-o", "BatchMode=yes"];
    return execute("ssh", [...options, `${user}@${host.address}`, command]);
}

/** Runs a command after a login by password alone. */
export function byPassword(address: string, username: string, password: string, command: string): Promise<string> {
    return new Promise((resolve, reject) => {
        const client = new Client();
        client.once("error", reject);
        client.once("ready", () => {
            client.exec(command, (error, channel) => {
                if (error) return reject(error);
                let text = "";
                channel.on("data", (data: Buffer) => (text += data.toString()));
                channel.stderr.resume();
                channel.once("close", () => {
                    client.end();
                    resolve(text);
                });
            });
        });
        client.connect({ host: address, username, password, readyTimeout: 20_000 });
    });
}
