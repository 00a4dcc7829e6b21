/** The clock of one host, on a machine that has one clock for all. */

/** How many seconds a host's clock is ahead or, if negative, behind, for all programs that look here. */
export const CLOCK_OFFSET_FILE = "/var/lib/lab-clock-offset";

/** A script to put in a program's place: runs it at the time of the host's clock. @param original where the program itself is */
export function atHostsTime(original: string, faketime: string): string {
    return `#!/bin/sh
read -r offset < ${CLOCK_OFFSET_FILE} || :
case $offset in -*) ;; *) offset=+$offset ;; esac
LD_PRELOAD=${faketime} FAKETIME=\${offset}s FAKETIME_DONT_FAKE_MONOTONIC=1 exec ${original} "$@"
`;
}
