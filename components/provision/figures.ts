/** What was measured on hosts that are to become members → a line for each, and what should be known before they are. Pure. */
import type { EtcdTuning } from "../args";
import type { FreeSpace } from "./facts";
import type { Probe } from "./probe";

/** One host's. */
export interface Figures {
    readonly host: string;
    readonly probe: Probe;
    /** How far its clock is ahead of this machine's; negative: behind. */
    readonly clockSeconds: number;
    readonly free: FreeSpace | undefined;
}

/** etcd.io, "Hardware recommendations": 99 of 100 writes of the log within this time. */
const SYNC_MILLISECONDS = 10;
/** The default election timeout, which that limit belongs to: a slower disk wants more time in proportion. */
const ELECTION_PER_SYNC = 100;
/** etcd.io, "Tuning": an election timeout of ten round trips at least; a heartbeat about every round trip. */
const ELECTION_PER_TRIP = 10;
const LONGEST_ELECTION = 50_000;
/** etcd server/etcdserver/api/rafthttp/probing_status.go: members complain of each other's clocks from here on. */
const CLOCK_SECONDS = 1;
/** etcd's default of `quotaBackendBytes`. */
const QUOTA_BYTES = 2 * 1024 ** 3;

export function figuresLine({ host, probe, clockSeconds, free }: Figures): string {
    const trips = Object.entries(probe.trips).map(([name, trip]) =>
        trip === undefined ? `none to "${name}"` : `${milliseconds(trip)} to "${name}"`,
    );
    const parts = [
        ...(probe.syncs.length > 0 ? [`fsync p99 ${milliseconds(p99(probe.syncs))} over ${writes(probe.syncs)}`] : []),
        ...(trips.length > 0 ? [`round trip ${trips.join(", ")}`] : []),
        ...(probe.unmeasured === undefined ? [] : [`not all was measured (${probe.unmeasured})`]),
        `clock ${clockSeconds < 0 ? "-" : "+"}${Math.abs(clockSeconds).toFixed(2)} s`,
        ...(free ? [`${(free.mebibytes / 1024).toFixed(free.mebibytes < 10_240 ? 1 : 0)} GiB free`] : []),
    ];
    return `host "${host}": ${parts.join(", ")}`;
}

/** What is allowed, but slower or less safe than etcd wants it: a sentence each, with what would help. */
export function figuresWarnings(all: readonly Figures[], tuning: EtcdTuning = {}): readonly string[] {
    const advice = adviceFor(all);
    return all.flatMap((figures) =>
        [
            ...syncWarnings(figures, tuning, advice),
            ...tripWarnings(figures, tuning, advice),
            ...clockWarnings(figures),
            ...spaceWarnings(figures, tuning),
        ].map((warning) => `host "${figures.host}": ${warning}`),
    );
}

interface Advice {
    readonly heartbeatInterval: number;
    readonly electionTimeout: number;
}

/** One for the whole cluster: all its members have the same settings. */
function adviceFor(all: readonly Figures[]): Advice {
    const trip = Math.max(0, ...all.flatMap(({ probe }) => answered(probe).map(([, milliseconds]) => milliseconds)));
    const sync = Math.max(0, ...all.map(({ probe }) => p99(probe.syncs)).filter((one) => one > SYNC_MILLISECONDS));
    const election = Math.max(trip * ELECTION_PER_TRIP, sync * ELECTION_PER_SYNC);
    const electionTimeout = Math.min(LONGEST_ELECTION, Math.ceil(election / 100) * 100);
    return { electionTimeout, heartbeatInterval: electionTimeout / 10 };
}

function told({ heartbeatInterval, electionTimeout }: Advice): string {
    return `tuning: { heartbeatInterval: ${heartbeatInterval}, electionTimeout: ${electionTimeout} }`;
}

function syncWarnings(
    { probe, free }: Figures,
    { electionTimeout = 1000 }: EtcdTuning,
    advice: Advice,
): readonly string[] {
    const sync = p99(probe.syncs);
    const isAllowedFor = electionTimeout >= Math.min(LONGEST_ELECTION, sync * ELECTION_PER_SYNC);
    if (sync <= SYNC_MILLISECONDS || isAllowedFor) return [];
    return [
        `a write to ${free?.directory ?? "its disk"} takes ${milliseconds(sync)} (p99 of ${writes(probe.syncs)}), etcd wants less than ${SYNC_MILLISECONDS} ms, else leaders are lost under load: choose a faster disk for dataDir, or set ${told(advice)}`,
    ];
}

function tripWarnings(
    { probe }: Figures,
    { heartbeatInterval = 100, electionTimeout = 1000 }: EtcdTuning,
    advice: Advice,
): readonly string[] {
    const silent = Object.entries(probe.trips).filter(([, trip]) => trip === undefined);
    const slow = answered(probe).filter(
        ([, trip]) => trip > heartbeatInterval || trip * ELECTION_PER_TRIP > electionTimeout,
    );
    return [
        ...silent.map(
            ([name]) =>
                `nothing comes back from "${name}" on its peer port, and members talk to each other both ways: see what drops packets between them`,
        ),
        ...slow.map(
            ([name, trip]) =>
                `the round trip to "${name}" takes ${milliseconds(trip)}, and leaders are heard of every ${heartbeatInterval} ms and given up after ${electionTimeout} ms, wanted are about one round trip and ten: set ${told(advice)}`,
        ),
    ];
}

function clockWarnings({ clockSeconds }: Figures): readonly string[] {
    if (Math.abs(clockSeconds) < CLOCK_SECONDS) return [];
    const found = `${Math.abs(clockSeconds).toFixed(2)} s ${clockSeconds < 0 ? "behind" : "ahead of"}`;
    return [`its clock is ${found} this machine's, and members complain from ${CLOCK_SECONDS} s on: keep it with NTP`];
}

function spaceWarnings({ free }: Figures, { quotaBackendBytes = QUOTA_BYTES }: EtcdTuning): readonly string[] {
    const [quota, wanted] = [quotaBackendBytes / 1024 ** 2, (2 * quotaBackendBytes) / 1024 ** 2];
    if (!free || free.mebibytes >= wanted) return [];
    return [
        `${free.directory} has ${free.mebibytes} MiB free, a database may grow to ${Math.round(quota)} MiB and wants as much again to be defragmented: make room, or set tuning.quotaBackendBytes to ${(free.mebibytes / 2) * 1024 ** 2} or less`,
    ];
}

function answered({ trips }: Probe): readonly (readonly [string, number])[] {
    return Object.entries(trips).flatMap(([name, trip]) => (trip === undefined ? [] : [[name, trip] as const]));
}

/** The least value that 99 of 100 don't exceed; 0 for none. */
function p99(values: readonly number[]): number {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0;
}

function writes({ length }: readonly number[]): string {
    return length === 1 ? "1 write" : `${length} writes`;
}

function milliseconds(value: number): string {
    return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`;
}
