import { crc32 } from "node:zlib";
import type { Entry, EntryType } from "@mon/raft";
import { getInteger, putInteger, viewOf } from "./bytes.ts";
import type { ChainPosition } from "./head.ts";
import { entryKeyBytes, putEntryKey } from "./key.ts";

const types: readonly EntryType[] = ["command", "noop", "config"];

/** Before the data: type, term, timestamp, and the checksum of the entry before. After it: the entry's own checksum. */
const headBytes = 21;
const sealBytes = 4;

/** An entry's key and value. */
export interface EntryRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * The records of entries that follow on `after`, in one piece of memory. Each repeats the checksum of the one before it
 * and has it in its own, so the last checksum vouches for all of them and their order.
 *
 * @returns the records, and where the chain is then
 */
export function encodeEntries(
  after: ChainPosition,
  entries: readonly Entry[],
): { records: EntryRecord[]; last: ChainPosition } {
  const overhead = entryKeyBytes + headBytes + sealBytes;
  const slab = new Uint8Array(entries.reduce((sum, { data }) => sum + overhead + data.length, 0));
  const view = viewOf(slab);
  const records: EntryRecord[] = [];
  let last = after;
  let at = 0;
  for (const { index, term, type, data, timestampMs } of entries) {
    const valueAt = at + entryKeyBytes;
    const sealAt = valueAt + headBytes + data.length;
    putEntryKey(slab.subarray(at, valueAt), index);
    slab[valueAt] = types.indexOf(type);
    putInteger(view, valueAt + 1, term);
    view.setFloat64(valueAt + 9, timestampMs);
    view.setUint32(valueAt + 17, last.crc32);
    slab.set(data, valueAt + headBytes);
    // Key and value are neighbours, so one pass covers both.
    const seal = crc32(slab.subarray(at, sealAt));
    view.setUint32(sealAt, seal);
    records.push({ key: slab.subarray(at, valueAt), value: slab.subarray(valueAt, sealAt + sealBytes) });
    last = { index, term, crc32: seal };
    at = sealAt + sealBytes;
  }
  return { records, last };
}

/** An entry as it was read. */
export interface StoredEntry {
  readonly entry: Entry;
  readonly crc32: number;
  /** Checksum of the entry before. */
  readonly previousCrc32: number;
}

/** Reads a record. Its data is a view of `value`. @returns undefined when the checksum does not hold */
export function decodeEntry(index: number, key: Uint8Array, value: Uint8Array): StoredEntry | undefined {
  const sealAt = value.length - sealBytes;
  if (sealAt < headBytes) return undefined;
  const view = viewOf(value);
  const seal = view.getUint32(sealAt);
  const type = types[value[0]!];
  if (type === undefined || seal !== crc32(value.subarray(0, sealAt), crc32(key))) return undefined;
  return {
    entry: {
      index,
      term: getInteger(view, 1),
      type,
      // LevelDB's binding gives a `Buffer`, whose methods differ from those of what was appended.
      data: new Uint8Array(value.buffer, value.byteOffset + headBytes, sealAt - headBytes),
      timestampMs: view.getFloat64(9),
    },
    crc32: seal,
    previousCrc32: view.getUint32(17),
  };
}
