/** What arguments are made of: settings that are known, flags that are flags, and no value that is known only later where it decides too much. */
import type { EtcdClusterArgs } from "../args";
import { isLater } from "../inputError";
import { problem, type Problems } from "./problems";

/** `plain`: looked at elsewhere. `late`: a text, or one that is known only later, and perhaps a secret. */
type Shape = "plain" | "flag" | "text" | "late" | Settings | List;
interface Settings {
    readonly wanted: string;
    /** It may be `false`, for none. */
    readonly mayBeNone?: true;
    readonly settings: Readonly<Record<string, Shape>>;
}
interface List {
    readonly each: Shape;
}

const LOGIN = {
    user: "plain",
    port: "plain",
    privateKey: "late",
    passphrase: "late",
    password: "late",
    agentSocket: "text",
} as const;

const BASTION: Settings = {
    wanted: 'a host to go through: { address: "…", … }, or false',
    mayBeNone: true,
    settings: { ...LOGIN, address: "plain", hostKey: "plain" },
};

const SSH: Settings = {
    wanted: "how to log in: { privateKey, hostKeys, … }",
    settings: {
        ...LOGIN,
        sudoPassword: "late",
        hostKeys: "plain",
        knownHosts: "text",
        insecureSkipHostKeyCheck: "flag",
        bastion: BASTION,
        connectTimeoutSeconds: "plain",
    },
};

const settings = (wanted: string): Settings => ({ wanted, settings: {} });

const CLUSTER: Readonly<Record<keyof EtcdClusterArgs, Shape>> = {
    version: "plain",
    install: settings('where etcd comes from: { source: "debian" }, …'),
    hosts: {
        each: {
            wanted: 'a host: { name: "…", address: "…" }',
            settings: { name: "plain", address: "plain", ssh: SSH, clientPort: "plain", peerPort: "plain" },
        },
    },
    ssh: SSH,
    clients: {
        each: { wanted: 'a client: { name: "…", … }', settings: { name: "plain", addresses: { each: "plain" } } },
    },
    clusterToken: "plain",
    clientPort: "plain",
    peerPort: "plain",
    dataDir: "plain",
    logLevel: "plain",
    tuning: settings("etcd's options: { heartbeatInterval: 100, … }"),
    allowEvenSize: "flag",
    maxLearners: "plain",
    timeouts: settings("seconds: { healthSeconds: 30, … }"),
    access: "plain",
    firewall: "flag",
    certificates: settings('how they are made: { algorithm: "ECDSA-P256", … }'),
    adopt: "flag",
    restore: settings('what to begin anew from: { snapshot: "/…", replaces: "…" }'),
    backup: settings('how to back up: {} for the defaults, or { schedule: "daily", … }'),
    deleteDataOnDestroy: "flag",
};

/** What speaks against looking any closer. What is left out is told by who needs it. */
export function checkShape(args: EtcdClusterArgs): Problems {
    if (typeof args !== "object" || args === null)
        return problem("args", args, "what the cluster is to be: { version, install, hosts, ssh, … }");
    return checkSettings("", args, CLUSTER);
}

function checkSettings(at: string, value: object, known: Readonly<Record<string, Shape>>): Problems {
    const names = Object.keys(known);
    const unknown = names.length === 0 ? [] : Object.keys(value).filter((name) => !names.includes(name));
    return [
        // What is there may be a secret whose name was mistyped.
        ...unknown.map((name) => ({
            property: at === "" ? name : `${at}.${name}`,
            found: "unknown",
            wanted: `one of ${names.join(", ")}`,
        })),
        ...names.flatMap((name) => {
            const property = at === "" ? name : `${at}.${name}`;
            return checkOne(property, (value as Record<string, unknown>)[name], known[name]!);
        }),
    ];
}

function checkOne(at: string, value: unknown, shape: Shape): Problems {
    if (value === undefined) return [];
    if (shape === "late") return isText(value) || isLater(value) ? [] : [notAText(at)];
    if (isLater(value))
        return problem(at, value, "a plain value", "it decides what is made: take it from the stack's configuration");
    if (shape === "plain") return [];
    if (shape === "flag") return typeof value === "boolean" ? [] : problem(at, value, "true or false, without quotes");
    if (shape === "text") return isText(value) ? [] : problem(at, value, "a text");
    if ("each" in shape) return checkList(at, value, shape);
    if (value === false && shape.mayBeNone) return [];
    const isSettings = typeof value === "object" && value !== null && !Array.isArray(value);
    return isSettings ? checkSettings(at, value, shape.settings) : problem(at, value, shape.wanted);
}

function checkList(at: string, value: unknown, { each }: List): Problems {
    if (!Array.isArray(value)) return problem(at, value, "a list");
    return value.flatMap((one, index) => checkOne(`${at}[${index}]`, one ?? null, each));
}

function isText(value: unknown): boolean {
    return typeof value === "string";
}

/** It may be a secret in another form: its type alone is told. */
function notAText(property: string): Problems[number] {
    return { property, found: "no text", wanted: "a text, or an Output of one", remedy: 'read files as "utf8"' };
}
