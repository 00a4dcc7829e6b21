import type { LabHost } from "../host";
import { attachLab } from "../lab";
import { takeWords } from "./command";
import type { Command } from "./command";

/** What can be done to hosts. Each takes the names of one or more. */
export const FAULT_COMMANDS: Readonly<Record<string, Command>> = {
    start: onHosts("boots", (host) => host.start()),
    stop: onHosts("shuts down cleanly", (host) => host.stop()),
    reboot: onHosts("reboots cleanly", (host) => host.reboot()),
    kill: onHosts("ends all processes at once, like pulling the plug", (host) => host.kill()),
    freeze: onHosts("stops all processes where they are", (host) => host.freeze()),
    thaw: onHosts("lets them go on", (host) => host.thaw()),
    cut: onHosts("pulls the network cable", (host) => host.cut()),
    heal: onHosts("ends cut, delay and partition", (host) => host.heal()),
    rebuild: onHosts("makes the host anew, with its name, address and host key", (host) => host.rebuild()),
    delay: {
        usage: "STACK HOST MILLISECONDS [JITTER [LOSS]]",
        summary:
            "makes the network slow in each direction, by so many ms, give or take JITTER ms, and lose LOSS percent",
        run: async (args) => {
            const { stack, host, milliseconds, rest } = takeWords(args, "stack", "host", "milliseconds");
            const [ms, jitterMs, lossPercent] = [milliseconds, rest[0] ?? "0", rest[1] ?? "0"].map(positiveNumber);
            await (
                await attachLab(stack)
            )
                .host(host)
                .delay({ ms: ms!, jitterMs: jitterMs!, lossPercent: lossPercent! });
            return 0;
        },
    },
    partition: {
        usage: "STACK HOST HOST-OR-ADDRESS…",
        summary: "drops everything between a host and others",
        run: async (args) => {
            const { stack, host, rest } = takeWords(args, "stack", "host", "other");
            const lab = await attachLab(stack);
            const others = [args[2] ?? "", ...rest].map(
                (other) => lab.hosts.find(({ name }) => name === other)?.address ?? other,
            );
            await lab.host(host).partitionFrom(others);
            return 0;
        },
    },
};

function onHosts(summary: string, act: (host: LabHost) => Promise<void>): Command {
    return {
        usage: "STACK HOST…",
        summary,
        run: async (args) => {
            const { stack, rest } = takeWords(args, "stack", "host");
            const lab = await attachLab(stack);
            await Promise.all([args[1] ?? "", ...rest].map((name) => lab.host(name)).map(act));
            return 0;
        },
    };
}

function positiveNumber(text: string): number {
    const value = Number(text);
    if (text.trim() === "" || !(value >= 0)) throw new Error(`"${text}" is no number from 0 up`);
    return value;
}
