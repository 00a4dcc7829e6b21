import { createHash } from "node:crypto";
import { utils, type AnyAuthMethod, type ParsedKey } from "ssh2";

import { RemoteError } from "./errors";
import { fingerprint } from "./hostKeys";
import { AGENT_VARIABLE, describeTarget, SESSION_AGENT, type SshTarget } from "./target";

/** One way to log in, and its name for an error's text. It holds no secret. */
export interface Credential {
    readonly method: AnyAuthMethod;
    readonly label: string;
}

/**
 * The ways to log in that a target gives, in the order in which to try them: what asks nobody first.
 * @throws RemoteError no-credentials, private-key-invalid
 */
export function credentials(target: SshTarget): readonly Credential[] {
    const username = target.user;
    const found: Credential[] = [];
    if (target.privateKey !== undefined) {
        const key = readPrivateKey(target, target.privateKey);
        const label = `private key ${key.type} ${fingerprint(key.getPublicSSH())}`;
        found.push({ label, method: { type: "publickey", username, key } });
    }
    if (target.agentSocket !== undefined) {
        const agent = agentOf(target, target.agentSocket);
        found.push({ label: `agent ${agent}`, method: { type: "agent", username, agent } });
    }
    if (target.password !== undefined) {
        const { password } = target;
        found.push({ label: "password", method: { type: "password", username, password } });
        found.push({
            label: "password, asked for interactively",
            method: {
                type: "keyboard-interactive",
                username,
                prompt: (_name, _instructions, _language, prompts, finish) => finish(prompts.map(() => password)),
            },
        });
    }
    if (found.length > 0) return found;
    throw new RemoteError(
        "no-credentials",
        describeTarget(target),
        "there is nothing to log in with; give one of privateKey, password or agentSocket",
    );
}

function agentOf(target: SshTarget, socket: string): string {
    if (socket !== SESSION_AGENT) return socket;
    const own = process.env[AGENT_VARIABLE];
    if (own) return own;
    const reason = `its login is by the SSH agent of whoever is logged in, and ${AGENT_VARIABLE} is not set: start one (eval $(ssh-agent); ssh-add)`;
    throw new RemoteError("no-credentials", describeTarget(target), reason);
}

/** Keys that were read, by the digest of text and passphrase: opening an encrypted one takes 0.2 s of computing. */
const opened = new Map<string, ParsedKey>();

function readPrivateKey(target: SshTarget, text: string): ParsedKey {
    const digest = createHash("sha256")
        .update(JSON.stringify([text, target.passphrase]))
        .digest("hex");
    const known = opened.get(digest);
    if (known !== undefined) return known;

    const key = parse(text, target.passphrase);
    if (target.passphrase !== undefined && isOpen(text)) {
        const reason =
            "the private key is not encrypted, and @pulumi/command takes no passphrase for such a key; leave passphrase out";
        throw new RemoteError("private-key-invalid", describeTarget(target), reason);
    }
    if (!(key instanceof Error) && key.isPrivateKey()) {
        opened.set(digest, key);
        return key;
    }
    throw new RemoteError("private-key-invalid", describeTarget(target), whatIsWrong(key, target));
}

function isOpen(text: string): boolean {
    const key = parse(text, undefined);
    return !(key instanceof Error) && key.isPrivateKey();
}

function parse(text: string, passphrase: string | undefined): ParsedKey | Error {
    try {
        const parsed: ParsedKey | Error | readonly ParsedKey[] = utils.parseKey(text, passphrase);
        // OpenSSH's own format may hold several keys; nobody writes more than one.
        return Array.isArray(parsed) ? ((parsed as ParsedKey[])[0] ?? new Error("it holds no key")) : parsed;
    } catch (error) {
        return error instanceof Error ? error : new Error(String(error));
    }
}

function whatIsWrong(key: ParsedKey | Error, target: SshTarget): string {
    if (!(key instanceof Error)) return `privateKey is a public key (${key.type}); give the private one`;
    if (/no passphrase given/i.test(key.message)) return "the private key is encrypted; give its passphrase";
    if (target.passphrase !== undefined && /passphrase|bad decrypt|integrity/i.test(key.message)) {
        return "the passphrase does not open the private key; give the right one";
    }
    return (
        `the private key can't be read (${key.message}); wanted is the text of an OpenSSH or PEM private key ` +
        `(ssh-keygen -p -f FILE rewrites other formats)`
    );
}
