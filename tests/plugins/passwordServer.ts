import { generateKeyPairSync } from "node:crypto";
import type { AddressInfo } from "node:net";

import { Server, type AuthContext, type Session } from "ssh2";

/** An SSH server on loopback that takes a password in one way only, and answers every command with that way. */
export interface PasswordServer {
    readonly port: number;
    readonly password: string;
    readonly stop: () => Promise<void>;
}

// Another server than sshd: that would need a system user with a password.
export async function startPasswordServer(method: "password" | "keyboard-interactive"): Promise<PasswordServer> {
    const password = "correct horse";
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const hostKey = privateKey.export({ type: "pkcs1", format: "pem" });
    const server = new Server({ hostKeys: [hostKey] }, (client) => {
        client.on("error", () => client.end());
        client.on("authentication", (attempt) => authenticate(attempt, method, password));
        client.on("session", (accept) => answer(accept(), method));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return {
        port: (server.address() as AddressInfo).port,
        password,
        stop: () => new Promise((resolve) => server.close(() => resolve())),
    };
}

function authenticate(attempt: AuthContext, method: string, password: string): void {
    if (attempt.method !== method) return attempt.reject([method as AuthContext["method"]]);
    if (attempt.method === "password")
        return void (attempt.password === password ? attempt.accept() : attempt.reject());
    if (attempt.method !== "keyboard-interactive") return attempt.reject();
    attempt.prompt([{ prompt: "Password: ", echo: false }], (answers) =>
        answers[0] === password ? attempt.accept() : attempt.reject(),
    );
}

function answer(session: Session, text: string): void {
    session.on("exec", (accept) => {
        const stream = accept();
        stream.write(`${text}\n`);
        stream.exit(0);
        stream.end();
    });
}
