/** Measures hosts that are to become members. Says what it finds; keeps nobody from anything. */
import type { EtcdTuning } from "../args";
import { pool } from "../remote/connectionPool";
import type { SshConnection } from "../remote/ssh";
import { figuresLine, figuresWarnings, type Figures } from "./figures";
import type { ProvisionHost, ProvisionInputs } from "./inputs";
import type { HostLook, Looks } from "./look";
import { parseProbe, probeScript } from "./probe";

/** Of a disk that hangs. */
const PROBE_SECONDS = 20;

/** Lines to tell, by cluster: the engine asks for check first, and a while later for what is to be done. */
const underWay = new Map<string, Promise<readonly string[]>>();

/** Begins to measure those that are new. Where none is, nothing is asked. */
export function beginPreflight(inputs: ProvisionInputs, { hosts }: Looks, tuning: EtcdTuning | undefined): void {
    underWay.delete(inputs.cluster);
    const fresh = hosts.filter(isNew);
    if (fresh.length > 0) underWay.set(inputs.cluster, measureAll(inputs, fresh, tuning));
}

/** Tells what was measured, once. */
export async function tellPreflight(cluster: string): Promise<void> {
    const lines = underWay.get(cluster);
    underWay.delete(cluster);
    for (const line of (await lines) ?? []) console.log(`[${cluster}] ${line}`);
}

/** No files of ours yet, and no member. */
function isNew({ facts }: HostLook): boolean {
    return facts !== undefined && !facts.isStaged && !facts.hasOurData;
}

async function measureAll(
    inputs: ProvisionInputs,
    fresh: readonly HostLook[],
    tuning: EtcdTuning | undefined,
): Promise<readonly string[]> {
    const measured = await Promise.all(
        fresh.map((look) =>
            measure(inputs.hosts, look).catch(
                (error: Error) => `host "${look.host.name}" was not measured: ${error.message}`,
            ),
        ),
    );
    const figures = measured.filter((one) => typeof one !== "string");
    return [
        ...measured.map((one) => (typeof one === "string" ? one : figuresLine(one))),
        ...figuresWarnings(figures, tuning).map((warning) => `warning: ${warning}`),
    ];
}

async function measure(all: readonly ProvisionHost[], { host, facts }: HostLook): Promise<Figures> {
    const connection = await pool.connect(host.ssh);
    const free = facts?.freeMiB.data;
    const peers = all.filter(({ name }) => name !== host.name);
    const [clockSeconds, { stdout }] = await Promise.all([
        clockOffset(connection),
        connection.run(probeScript(free?.directory ?? "/", peers), { timeoutSeconds: PROBE_SECONDS }),
    ]);
    return { host: host.name, probe: parseProbe(stdout), clockSeconds, free };
}

/** As exact as half of what the question takes, some milliseconds. */
async function clockOffset(connection: SshConnection): Promise<number> {
    const asked = Date.now();
    const { stdout } = await connection.run("date +%s.%N", { timeoutSeconds: PROBE_SECONDS });
    return Number.parseFloat(stdout) - (asked + Date.now()) / 2000;
}
