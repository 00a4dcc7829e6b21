/**
 * Go programs whose clock can be set for them alone. They read the kernel's clock without the C library, so nothing that is preloaded
 * changes what they see: their own standard library has to.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { findGo, goEnvironment } from "./go";
import type { Overlay } from "./goBuild";

const NAME = "skewed-clock";

/** In time.Now, of Go 1.26: the wall clock's seconds, and the monotonic clock, which is left alone, as when a clock is set. */
const READS = "\tsec, nsec, mono := runtimeNow()\n";

/** Reads the file beside all else: time.Now is called where no system call may be made, as by timers. */
const source = (offsetFile: string): string => `package time

import "sync/atomic"

var offsetSeconds atomic.Int64

func init() {
	readOffset()
	go func() {
		for {
			Sleep(20 * Millisecond)
			readOffset()
		}
	}()
}

func readOffset() {
	offset := 0
	if fd, err := open(${JSON.stringify(offsetFile)}); err == nil {
		var text [32]byte
		if n, err := read(fd, text[:]); err == nil && n > 0 {
			offset, _ = atoi(text[:n])
		}
		closefd(fd)
	}
	offsetSeconds.Store(int64(offset))
}
`;

/**
 * What to lay over Go's own sources while a program is built.
 *
 * @param offsetFile on the machine where the program will run: how many seconds its clock is ahead or, negative, behind, and nothing
 * else. It is read while the program runs; without it the clock is right
 * @param module the directory of the module that is built: its go.mod decides which Go builds it
 * @throws when Go is not installed, or reads the clock otherwise than we know
 */
export function skewedClock(offsetFile: string, module: string): Overlay {
    const time = join(goRoot(module), "src", "time");
    const path = join(time, "time.go");
    const now = readFileSync(path, "utf8");
    if (now.split(READS).length !== 2)
        throw new Error(
            `${path} does not have "${READS.trim()}" once, as in Go 1.26: look how this Go reads the clock, and change ${__filename}`,
        );
    return {
        name: NAME,
        files: {
            [path]: now.replace(READS, `${READS}\tsec += offsetSeconds.Load()\n`),
            [join(time, "clock_offset.go")]: source(offsetFile),
        },
    };
}

function goRoot(module: string): string {
    const options = { cwd: module, env: goEnvironment(), encoding: "utf8" } as const;
    return execFileSync(findGo(NAME), ["env", "GOROOT"], options).trim();
}
