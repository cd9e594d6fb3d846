import { Buffer } from "node:buffer";
import { crc32c, masked } from "./crc32c.ts";

// LevelDB writes its log and its MANIFEST in this form: blocks of 32 KiB, in them fragments of records, each with a
// header of checksum, length and kind (doc/log_format.md of LevelDB).

const blockBytes = 32_768;
const headerBytes = 7;

const full = 1;
const first = 2;
const middle = 3;
const last = 4;

/** Where the sound records of a file end before the file does. */
export interface Fault {
  /** Where the record begins that is not whole. */
  readonly recordStart: number;
  /** Where the fragment begins that is not sound. */
  readonly at: number;
  /** Whether that fragment would go beyond the end of the file. */
  readonly isCut: boolean;
}

/**
 * Walks the records of a file. Yields each one's bytes, joined; returns the first fault, or undefined when all is sound.
 * Time and memory are linear in the bytes.
 */
export function* recordsOf(file: Buffer): Generator<Buffer, Fault | undefined> {
  let fragments: Buffer[] = [];
  let recordStart = 0;
  let at = 0;
  while (at < file.length) {
    const left = blockBytes - (at % blockBytes);
    if (left < headerBytes) {
      // Too small for a header: filled up with zeros.
      at += left;
      continue;
    }
    if (fragments.length === 0) recordStart = at;
    if (at + headerBytes > file.length) return { recordStart, at, isCut: true };
    const bytes = file.readUInt16LE(at + 4);
    const kind = file[at + 6]!;
    const start = at + headerBytes;
    const end = start + bytes;
    const fault = { recordStart, at, isCut: end > file.length };
    if (fault.isCut || headerBytes + bytes > left || kind < full || kind > last) return fault;
    if (masked(crc32c(file, at + 6, end)) !== file.readUInt32LE(at)) return fault;
    const begins = kind === full || kind === first;
    if (begins !== (fragments.length === 0)) return fault;
    fragments.push(file.subarray(start, end));
    at = end;
    if (kind === full || kind === last) {
      yield fragments.length === 1 ? fragments[0]! : Buffer.concat(fragments);
      fragments = [];
    }
  }
  return fragments.length === 0 ? undefined : { recordStart, at, isCut: true };
}

/** Whether a sound record that is not empty begins anywhere from a position on. */
export function hasRecordFrom(file: Buffer, from: number): boolean {
  for (let at = from; at + headerBytes < file.length; at++) {
    const bytes = file.readUInt16LE(at + 4);
    const kind = file[at + 6]!;
    const end = at + headerBytes + bytes;
    if (bytes === 0 || kind < full || kind > last || end > file.length) continue;
    if (headerBytes + bytes > blockBytes - (at % blockBytes)) continue;
    if (masked(crc32c(file, at + 6, end)) === file.readUInt32LE(at)) return true;
  }
  return false;
}

/** A file of one record. */
export function encodeRecord(record: Uint8Array): Buffer {
  const parts: Buffer[] = [];
  let written = 0;
  do {
    const fragment = record.subarray(written, written + blockBytes - headerBytes);
    const begins = written === 0;
    written += fragment.length;
    const ends = written === record.length;
    const part = Buffer.concat([Buffer.alloc(headerBytes), fragment]);
    part.writeUInt16LE(fragment.length, 4);
    part[6] = begins && ends ? full : begins ? first : ends ? last : middle;
    part.writeUInt32LE(masked(crc32c(part, 6, part.length)), 0);
    parts.push(part);
  } while (written < record.length);
  return Buffer.concat(parts);
}

/** Bytes that end a file of records, at least as many as the last block has after its first header. */
export function endsWith(file: Buffer, mark: Uint8Array): boolean {
  const inBlock = file.length % blockBytes;
  // A mark that straddles two blocks is cut in two by a header; the second half has to do then.
  const bytes = inBlock === 0 ? mark.length : Math.min(mark.length, inBlock - headerBytes);
  return bytes > 0 && file.subarray(file.length - bytes).equals(mark.subarray(mark.length - bytes));
}
