import { problem, type Problems } from "./problems";

/** Where our units can't write, or where others write. */
const TAKEN = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt/etcd",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/var/run",
    "/var/tmp",
];

/** Whether a path is another one, or below it. */
export function isWithin(inner: string, outer: string): boolean {
    return `${inner}/`.startsWith(`${outer}/`);
}

export function outside(property: string, directory: string, remedy: string): Problems {
    const taken = TAKEN.find((place) => isWithin(directory, place));
    return taken === undefined ? [] : problem(property, directory, `a directory outside ${taken}`, remedy);
}

/** An absolute path that means itself to a shell and to systemd. */
export function isPlainPath(value: unknown): value is string {
    return typeof value === "string" && /^(\/[A-Za-z0-9._@:+=,-]+)+$/.test(value);
}
