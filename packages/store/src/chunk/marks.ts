import { type ByteReader, chunkInvalid } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/** Whether any flag is set. */
export function hasMarks(flags: Uint32Array): boolean {
  for (let i = 0; i < flags.length; i++) if (flags[i] !== 0) return true;
  return false;
}

/** Writes flags as runs of equal ones: outliers come in stretches, if at all. */
export function writeMarks(out: ByteWriter, flags: Uint32Array): void {
  for (let i = 0; i < flags.length; ) {
    const start = i;
    const mark = flags[start]!;
    while (i < flags.length && flags[i] === mark) i++;
    out.varint(mark);
    out.varint(i - start);
  }
}

/** Reads the flags of a column of `length` samples, and gives those from `from` to before `to`. */
export function readMarks(reader: ByteReader, length: number, from: number, to: number): Uint32Array {
  const flags = new Uint32Array(to - from);
  for (let start = 0; start < length; ) {
    const mark = reader.varint();
    const run = reader.varint();
    if (mark > 0xffff_ffff || run === 0 || run > length - start) {
      throw chunkInvalid(
        `expected a run of at most ${length - start} marks of 32 bits, got ${run} of ${mark}`,
      );
    }
    const end = start + run;
    if (end > from && start < to) flags.fill(mark, Math.max(start - from, 0), end - from);
    start = end;
  }
  return flags;
}
