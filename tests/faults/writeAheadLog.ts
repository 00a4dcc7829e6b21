/**
 * etcd's write-ahead log, as far as it takes to damage it on purpose (etcd server/storage/wal: decoder.go, walpb/record.proto): frames of a
 * length in 8 bytes (little-endian; a negative one has the number of padding bytes in its highest byte) and a record, which is a message
 * of type (field 1), checksum (2) and data (3).
 */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** What the bit that flips belongs to: what a record holds, the record's own form, or how long it is. */
export type Where = "data" | "form" | "length";

const ENTRY = 2;
/** Short records say little: the data of a write is longer than this. */
const ENOUGH_BYTES = 40;

interface Frame {
    readonly lengthAt: number;
    readonly recordAt: number;
    readonly dataAt: number;
    readonly type: number;
    readonly dataBytes: number;
}

/** Flips one bit of an entry in the middle of a member's newest file. @param directory `<data dir>/member/wal` */
export function flipBit(directory: string, where: Where): void {
    const name = readdirSync(directory)
        .filter((file) => file.endsWith(".wal"))
        .sort()
        .at(-1)!;
    const file = join(directory, name);
    const bytes = readFileSync(file);
    const entries = framesOf(bytes).filter(({ type, dataBytes }) => type === ENTRY && dataBytes > ENOUGH_BYTES);
    const entry = entries[Math.floor(entries.length / 2)];
    if (!entry) throw new Error(`${file} holds no entry to damage`);
    const at = place(entry, where);
    const opened = openSync(file, "r+");
    try {
        writeSync(opened, Buffer.from([bytes[at]! ^ 4]), 0, 1, at);
    } finally {
        closeSync(opened);
    }
}

function place({ lengthAt, recordAt, dataAt, dataBytes }: Frame, where: Where): number {
    switch (where) {
        case "data":
            return dataAt + Math.floor(dataBytes / 2);
        case "form":
            // The tag of the first field, 0x08: with its third bit set it would end a group that nobody began.
            return recordAt;
        case "length":
            // Its sixth byte: longer than any file.
            return lengthAt + 5;
    }
}

function framesOf(bytes: Buffer): readonly Frame[] {
    const frames: Frame[] = [];
    for (let at = 0; at + 8 <= bytes.length;) {
        const highest = bytes[at + 7]!;
        const recordBytes = Number(bytes.readBigUInt64LE(at) & 0x00ff_ffff_ffff_ffffn);
        // Room that was allocated in advance.
        if (recordBytes === 0) break;
        frames.push({ lengthAt: at, ...parseRecord(bytes, at + 8, recordBytes) });
        at += 8 + recordBytes + (highest & 0x80 ? highest & 0x07 : 0);
    }
    return frames;
}

function parseRecord(bytes: Buffer, recordAt: number, length: number): Omit<Frame, "lengthAt"> {
    let [at, type, dataAt, dataBytes] = [recordAt, 0, 0, 0];
    const varint = (): number => {
        let [value, shift] = [0, 0];
        for (; ; shift += 7) {
            const byte = bytes[at++]!;
            value += (byte & 0x7f) * 2 ** shift;
            if (byte < 0x80) return value;
        }
    };
    while (at < recordAt + length) {
        const field = varint() >> 3;
        const value = varint();
        if (field === 1) type = value;
        if (field !== 3) continue;
        [dataAt, dataBytes] = [at, value];
        at += value;
    }
    return { recordAt, type, dataAt, dataBytes };
}
