/** The clients: each goes on with its next operation when the one before has an answer or is given up. */
import type { Endpoint } from "./endpoint";
import type { Recorder } from "./recorder";
import type { RegisterAction } from "./recording";

/** Between two operations, so that the load leaves room for what is measured. */
const PAUSE_MS = 15;
/** The client that moves on measures gaps, so it hardly pauses. */
const SHORT_PAUSE_MS = 3;
const PAUSE_AFTER_ERROR_MS = 50;
const SHORT_PAUSE_AFTER_ERROR_MS = 5;

/** The name of the client that goes to the next endpoint when one does not acknowledge. */
export const ROAMING = "any";

interface Loop {
    readonly stop: () => Promise<void>;
}

/** Writes through one endpoint, and works on the register through it. */
export function startClient(recorder: Recorder, endpoint: Endpoint, leisure: number): Loop {
    const began = performance.now();
    const writing = repeat(PAUSE_MS * leisure, PAUSE_AFTER_ERROR_MS, () => write(recorder, endpoint.name, endpoint));
    const registering = repeat(
        PAUSE_MS * leisure,
        PAUSE_AFTER_ERROR_MS,
        registerTurn(recorder, endpoint, `${endpoint.name}@${Math.round(began)}`),
    );
    return { stop: async () => void (await Promise.all([writing.stop(), registering.stop()])) };
}

/** Does what an application's client does, which knows all endpoints. */
export function startRoamingClient(recorder: Recorder, endpoints: () => readonly Endpoint[], leisure: number): Loop {
    let current: Endpoint | undefined;
    return repeat(SHORT_PAUSE_MS * leisure, SHORT_PAUSE_AFTER_ERROR_MS, async () => {
        const all = endpoints();
        if (!current || !all.includes(current)) current = all[0]!;
        const isDone = await write(recorder, ROAMING, current);
        if (!isDone) current = all[(all.indexOf(current) + 1) % all.length];
        return isDone;
    });
}

/** @returns false when it was not acknowledged */
async function write(recorder: Recorder, client: string, endpoint: Endpoint): Promise<boolean> {
    const key = recorder.nextKey(client);
    const calledMs = performance.now();
    try {
        const { header } = await endpoint.call((etcd, options) =>
            etcd.kv.put({ key: Buffer.from(key), value: Buffer.from(key) }, options),
        );
        recorder.acknowledge({
            client,
            key,
            calledMs,
            endedMs: performance.now(),
            revision: Number(header.revision),
        });
        return true;
    } catch (error) {
        recorder.writes.push({ client, key, calledMs, endedMs: performance.now(), error: textOf(error) });
        return false;
    }
}

/** Reads the register, swaps it, reads the newest key: one of them at each turn. */
function registerTurn(recorder: Recorder, endpoint: Endpoint, client: string): () => Promise<boolean> {
    let turn = 0;
    let last: string | undefined;
    return async () => {
        turn += 1;
        const fresh = `${client}/${turn}`;
        if (turn % 4 === 0) return readNewest(recorder, endpoint);
        const action: RegisterAction =
            turn % 4 === 1
                ? { kind: "read" }
                : turn % 16 === 2
                  ? { kind: "write", value: fresh }
                  : { kind: "compare-and-swap", ...(last !== undefined && { expected: last }), value: fresh };
        const calledMs = performance.now();
        try {
            const { revision, ...answer } = await act(endpoint, Buffer.from(recorder.registerKey), action);
            last = holds(answer);
            recorder.register.push({ client, calledMs, endedMs: performance.now(), revision, ...answer });
            return true;
        } catch {
            if (action.kind === "read") recorder.failedReads += 1;
            else recorder.register.push({ client, calledMs, ...action });
            return false;
        }
    };
}

type Answer = RegisterAction & { readonly revision: number };

async function act(endpoint: Endpoint, key: Buffer, action: RegisterAction): Promise<Answer> {
    switch (action.kind) {
        case "read": {
            const { header, kvs } = await endpoint.call((etcd, options) => etcd.kv.range({ key }, options));
            return { kind: "read", ...optional("value", kvs[0]?.value), revision: Number(header.revision) };
        }
        case "write": {
            const { header } = await endpoint.call((etcd, options) =>
                etcd.kv.put({ key, value: Buffer.from(action.value) }, options),
            );
            return { ...action, revision: Number(header.revision) };
        }
        case "compare-and-swap":
            return compareAndSwap(endpoint, key, action);
    }
}

async function compareAndSwap(
    endpoint: Endpoint,
    key: Buffer,
    action: RegisterAction & { readonly kind: "compare-and-swap" },
): Promise<Answer> {
    const isExpected =
        action.expected === undefined
            ? ({ key, result: "Equal", target: "Create", create_revision: 0 } as const)
            : ({ key, result: "Equal", target: "Value", value: Buffer.from(action.expected) } as const);
    const { header, succeeded, responses } = await endpoint.call((etcd, options) =>
        etcd.kv.txn(
            {
                compare: [isExpected],
                success: [{ request_put: { key, value: Buffer.from(action.value) } }],
                failure: [{ request_range: { key } }],
            },
            options,
        ),
    );
    const revision = Number(header.revision);
    if (succeeded) return { ...action, isSwapped: true, revision };
    return {
        ...action,
        isSwapped: false,
        ...optional("found", responses[0]?.response_range.kvs[0]?.value),
        revision,
    };
}

async function readNewest(recorder: Recorder, endpoint: Endpoint): Promise<boolean> {
    const { newest } = recorder;
    if (!newest) return true;
    const calledMs = performance.now();
    try {
        const { header, kvs } = await endpoint.call((etcd, options) =>
            etcd.kv.range({ key: Buffer.from(newest.key) }, options),
        );
        recorder.reads.push({
            client: endpoint.name,
            key: newest.key,
            calledMs,
            endedMs: performance.now(),
            revision: Number(header.revision),
            ...(kvs[0] && { keyRevision: Number(kvs[0].mod_revision) }),
        });
        return true;
    } catch {
        recorder.failedReads += 1;
        return false;
    }
}

/** What the register held right after an operation. */
function holds(answer: RegisterAction): string | undefined {
    return answer.kind === "compare-and-swap" && answer.isSwapped === false ? answer.found : answer.value;
}

function optional<Name extends string>(name: Name, value: Buffer | undefined): Partial<Record<Name, string>> {
    return value === undefined ? {} : ({ [name]: value.toString() } as Record<Name, string>);
}

export function textOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

function repeat(pauseMs: number, pauseAfterErrorMs: number, turn: () => Promise<boolean>): Loop {
    let isOn = true;
    const work = (async (): Promise<void> => {
        while (isOn) {
            const isDone = await turn();
            await new Promise((resolve) => setTimeout(resolve, isDone ? pauseMs : pauseAfterErrorMs));
        }
    })();
    return {
        stop: () => {
            isOn = false;
            return work;
        },
    };
}
