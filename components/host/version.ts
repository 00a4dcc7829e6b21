/** The minor versions that this package knows the flags of. */
export const KNOWN_MINORS = ["3.4", "3.5", "3.6", "3.7"] as const;

export interface EtcdVersion {
    readonly major: number;
    readonly minor: number;
    readonly patch: number;
}

/** Reads a version as `etcd --version` prints it, `3.6.16`; undefined for anything else. */
export function parseVersion(text: string): EtcdVersion | undefined {
    const match = /^(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})$/.exec(text);
    if (match === null) return undefined;
    return { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]) };
}

/** Whether a version is the other one or later; false for what is no version. */
export function isAtLeast(version: string, floor: string): boolean {
    const [left, right] = [parseVersion(version), parseVersion(floor)];
    if (left === undefined || right === undefined) return false;
    if (left.major !== right.major) return left.major > right.major;
    if (left.minor !== right.minor) return left.minor > right.minor;
    return left.patch >= right.patch;
}

/** `3.6.16` → `3.6`. */
export function minorOf(version: string): string {
    return version.split(".").slice(0, 2).join(".");
}

/** How many learners may join side by side: etcd before 3.6 knows only one (`--max-learners`). */
export function defaultMaxLearners(version: string): number {
    return isAtLeast(version, "3.6.0") ? 2 : 1;
}

/** From here on a series may be left for the next one: before it, members that were removed came back, or could not be upgraded from. */
const LEAVE_FROM: Readonly<Record<string, string>> = { "3.5": "3.5.32", "3.6": "3.6.11" };

/**
 * Why members may not be restarted with another version, by etcd's rules for upgrades: one series at a time, from a late patch of it, and
 * not back to an earlier one once all have left it (etcd.io, "Upgrading etcd clusters").
 * @param running the versions of all members that answer
 * @returns undefined when they may
 */
export function whyNotFrom(running: readonly string[], wanted: string): string | undefined {
    const parsed = running.flatMap((version) => parseVersion(version) ?? []);
    const target = parseVersion(wanted);
    if (parsed.length === 0 || target === undefined) return undefined;
    // The cluster as a whole is of its oldest member's series: while some are of the series before, all may go back to that.
    const oldest = Math.min(...parsed.map(({ minor }) => minor));
    if (target.minor < oldest)
        return `all members run etcd 3.${oldest} by now, and there is no way back to 3.${target.minor} but a snapshot from before: declare a version of 3.${oldest}`;
    if (target.minor > oldest + 1)
        return `members run etcd 3.${oldest}, and only one series can be gone at a time: declare a version of 3.${oldest + 1} first`;
    const floor = LEAVE_FROM[`3.${oldest}`];
    const early = running.find(
        (version) => minorOf(version) === `3.${oldest}` && !isAtLeast(version, floor ?? version),
    );
    if (target.minor === oldest || early === undefined) return undefined;
    return `a member runs etcd ${early}, and ${minorOf(wanted)} is reached safely from ${floor} on: declare ${floor} or a later version of 3.${oldest} first`;
}
