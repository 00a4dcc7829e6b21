/**
 * Runs `work` while no other process holds the lock `file` (made if it is missing, never removed), and gives back its result.
 * A holder that died holds nothing. Whoever has to wait says on stderr for which process, and for what.
 *
 * @param what shown to those who wait, such as "builds pulumi 3.255.0"
 * @throws when `flock` (util-linux) is missing or the file can't be opened
 */
export function withLock<T>(file: string, what: string, work: () => Promise<T> | T): Promise<T>;
