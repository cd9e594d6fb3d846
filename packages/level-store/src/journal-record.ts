import { crc32 } from "node:zlib";
import type { InstantRange } from "./manifest.ts";

/**
 * A record of the journal: a head of {@link recordHeadBytes}, then entries, each of f64 timestamp, u32 length, u8 length
 * of the host's id, u8 padding, the id, so many bytes of padding, and the fragment. Numbers are little-endian. A record
 * begins at a multiple of {@link alignment}, in the file and in memory.
 *
 * | at | head                                                              |
 * | -- | ----------------------------------------------------------------- |
 * | 0  | u32 magic                                                         |
 * | 4  | u32 CRC-32 of the file's salt, the head from here on, the entries |
 * | 8  | u32 bytes of the entries                                          |
 * | 12 | u32 entries                                                       |
 * | 16 | f64 sequence                                                      |
 * | 24 | f64 when it was written                                           |
 * | 32 | f64 first, f64 last instant of it and of the commits before       |
 * | 48 | f64 first, f64 last instant of it                                 |
 */
export interface RecordHead {
  readonly sequence: number;
  readonly wallMs: number;
  readonly own: Readonly<InstantRange>;
  readonly recent: Readonly<InstantRange>;
  readonly entries: number;
  /** Bytes of the entries. */
  readonly length: number;
}

export const recordHeadBytes = 64;
export const alignment = 64;
export const entryHeadBytes = 14;
/** Padding is less than this: it lets a fragment lie in its word as it did where it came from, which copies faster. */
export const paddingMax = 8;

const magic = 0x314a_4f4d;

/** The next multiple of {@link alignment}. */
export function aligned(position: number): number {
  return (position + alignment - 1) & -alignment;
}

/** Writes the head of the record that stands in `bytes` from `start` on, entries and all. */
export function putRecordHead(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  head: RecordHead,
  seed: number,
): void {
  view.setUint32(start, magic, true);
  view.setUint32(start + 8, head.length, true);
  view.setUint32(start + 12, head.entries, true);
  view.setFloat64(start + 16, head.sequence, true);
  view.setFloat64(start + 24, head.wallMs, true);
  view.setFloat64(start + 32, head.recent.minMs, true);
  view.setFloat64(start + 40, head.recent.maxMs, true);
  view.setFloat64(start + 48, head.own.minMs, true);
  view.setFloat64(start + 56, head.own.maxMs, true);
  view.setUint32(start + 4, checksum(bytes, start, head.length, seed), true);
}

function checksum(bytes: Uint8Array, start: number, length: number, seed: number): number {
  return crc32(bytes.subarray(start + 8, start + recordHeadBytes + length), seed);
}

/** The head of the record that stands in `bytes` at `start`; undefined when none does whose checksum holds. */
export function recordHeadAt(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  seed: number,
): RecordHead | undefined {
  if (start + recordHeadBytes > bytes.length || view.getUint32(start, true) !== magic) return undefined;
  const length = view.getUint32(start + 8, true);
  if (start + recordHeadBytes + length > bytes.length) return undefined;
  if (view.getUint32(start + 4, true) !== checksum(bytes, start, length, seed)) return undefined;
  return {
    length,
    entries: view.getUint32(start + 12, true),
    sequence: view.getFloat64(start + 16, true),
    wallMs: view.getFloat64(start + 24, true),
    recent: { minMs: view.getFloat64(start + 32, true), maxMs: view.getFloat64(start + 40, true) },
    own: { minMs: view.getFloat64(start + 48, true), maxMs: view.getFloat64(start + 56, true) },
  };
}

/** An entry of a record, where it stands. */
export interface RecordEntry {
  readonly hostId: string;
  readonly timestampMs: number;
  readonly bytes: Uint8Array;
}

/** The entries of the record that stands in `bytes` at `start`, whose checksum holds. */
export function* entriesAt(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  head: RecordHead,
): Generator<RecordEntry> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = start + recordHeadBytes;
  for (let i = 0; i < head.entries; i++) {
    const timestampMs = view.getFloat64(position, true);
    const length = view.getUint32(position + 8, true);
    const idEnd = position + entryHeadBytes + bytes[position + 12]!;
    const hostId = text.toString("latin1", position + entryHeadBytes, idEnd);
    const begin = idEnd + bytes[position + 13]!;
    position = begin + length;
    yield { hostId, timestampMs, bytes: bytes.subarray(begin, position) };
  }
}
