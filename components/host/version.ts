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
