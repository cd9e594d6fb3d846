import { type Fragment, murmur3 } from "@mon/store";
import type { Batch } from "./batch.ts";
import type { BatchLog } from "./batch-log.ts";
import { BlockColumns, Plans } from "./block-columns.ts";
import type { Loss } from "./damage.ts";
import type { Database, Entry, KeyRange } from "./database.ts";
import { blockEnd } from "./host-blocks.ts";
import { endOfSpace, getInteger, maxInstantMs, numberKey, singleKey, space, viewOf } from "./key.ts";
import { jsonPayload } from "./record.ts";
import { chunkRecords } from "./settlement.ts";

/**
 * Format 1 had fragments in LevelDB: `f`, i64 block start, host id, `00`, i64 timestamp, 8 bytes fragment id, u32 check
 * of the key; the value was the fragment. Opening such a directory turns them into chunks.
 */

/** Bytes after the zero byte that ends the host's id: timestamp, id, check. */
const tailBytes = 8 + 8 + 4;
/** Where the host's id begins, after space and block. */
const hostOffset = 1 + 8;

/** A fragment of format 1, and its block. */
interface StoredFragment extends Fragment {
  readonly blockStartMs: number;
}

const format1: KeyRange = { gte: singleKey(space.fragment), lt: endOfSpace(space.fragment) };

/** Whether a directory holds fragments of format 1. */
export async function hasFormat1(database: Database): Promise<boolean> {
  return (await database.firstKey(format1)) !== undefined;
}

/** Tells of all fragments of format 1 that can be read. */
export async function observeFormat1(
  database: Database,
  observe: (fragment: Fragment) => void,
): Promise<void> {
  for await (const entries of database.scan(format1, { onDamage: () => {} })) {
    for (const [key, value] of entries) {
      const fragment = fragmentOf(key, value);
      if (typeof fragment !== "string") observe(fragment);
    }
  }
}

/** Bytes of chunks, and entries deleted for them, that one batch holds at most, beside one block. */
const batchBytes = 512 * 1024;

/**
 * Turns the fragments of format 1 into chunks, each block in one synced batch with the deletes. A crash leaves blocks in
 * either form, and the next open goes on.
 *
 * @returns fragments that could not be read, which are named from now on
 */
export async function convertFormat1(database: Database, batches: BatchLog, nowMs: number): Promise<Loss[]> {
  const conversion = new Conversion(batches, nowMs);
  let unreadable: string | undefined;
  const onDamage = (reason: string): void => {
    unreadable = reason;
  };
  for await (const entries of database.scan(format1, { onDamage })) {
    for (const entry of entries) conversion.add(entry);
    await conversion.flushWhenLarge();
  }
  if (unreadable !== undefined) conversion.lose(unreadable, -maxInstantMs, nowMs);
  await conversion.end();
  return conversion.losses;
}

class Conversion {
  readonly losses: Loss[] = [];
  readonly #batches: BatchLog;
  readonly #nowMs: number;
  readonly #plans = new Plans();
  #block: { hostId: string; blockStartMs: number; columns: BlockColumns } | undefined;
  /** Keys of the present block. */
  #keys: Uint8Array[] = [];
  #puts: (readonly [Uint8Array, Uint8Array])[] = [];
  #deletes: Uint8Array[] = [];
  #newLosses: Loss[] = [];
  #bytes = 0;

  constructor(batches: BatchLog, nowMs: number) {
    this.#batches = batches;
    this.#nowMs = nowMs;
  }

  add([key, value]: Entry): void {
    const fragment = fragmentOf(key, value);
    if (typeof fragment === "string") {
      const blockStartMs = key.length > hostOffset ? getInteger(viewOf(key), 1) : Number.NaN;
      const isInstant = Math.abs(blockStartMs) <= maxInstantMs;
      const start = isInstant ? blockStartMs : -maxInstantMs;
      this.lose(fragment, start, isInstant ? blockEnd(blockStartMs) : this.#nowMs);
      this.#deletes.push(key);
      return;
    }
    const { hostId, blockStartMs, timestampMs, bytes } = fragment;
    if (this.#block?.hostId !== hostId || this.#block.blockStartMs !== blockStartMs) {
      this.#endBlock();
      this.#block = { hostId, blockStartMs, columns: new BlockColumns(this.#plans) };
    }
    this.#block.columns.add(timestampMs, { view: viewOf(bytes), offset: 0, length: bytes.length }, 0);
    this.#keys.push(key);
  }

  #endBlock(): void {
    if (this.#block === undefined) return;
    const { columns, ...partition } = this.#block;
    for (const record of chunkRecords(partition, columns, this.#nowMs)) {
      this.#puts.push(record);
      this.#bytes += record[0].length + record[1].length;
    }
    for (const key of this.#keys) this.#bytes += key.length;
    this.#deletes.push(...this.#keys);
    this.#keys = [];
    this.#block = undefined;
  }

  /** Takes note of what cannot be read. */
  lose(what: string, startMs: number, endMs: number): void {
    const number = -1 - this.losses.length;
    const loss: Loss = {
      of: "level",
      firstSequence: number,
      lastSequence: number,
      fromWallMs: 0,
      toWallMs: this.#nowMs,
      startMs,
      endMs,
      what,
    };
    this.losses.push(loss);
    this.#newLosses.push(loss);
  }

  async flushWhenLarge(): Promise<void> {
    if (this.#bytes >= batchBytes) await this.#flush();
  }

  async end(): Promise<void> {
    this.#endBlock();
    await this.#flush();
  }

  async #flush(): Promise<void> {
    const puts = this.#puts;
    const deletes = this.#deletes;
    const losses = this.#newLosses;
    this.#puts = [];
    this.#deletes = [];
    this.#newLosses = [];
    this.#bytes = 0;
    await this.#batches.append((batch: Batch) => {
      for (const [key, value] of puts) batch.putSealed(key, value);
      for (const key of deletes) batch.delete(key);
      for (const loss of losses) batch.put(numberKey(space.damage, loss.firstSequence), jsonPayload(loss));
    });
  }
}

/** Reads a record of format 1. @returns what is wrong with it, when it is not what was written */
function fragmentOf(key: Uint8Array, value: Uint8Array): StoredFragment | string {
  const tail = key.length - tailBytes;
  if (tail <= hostOffset + 1 || key[tail - 1] !== 0) return "a report whose key does not pass its checksum";
  const view = viewOf(key);
  if (view.getUint32(tail + 16) !== checkOf(key.subarray(0, tail + 16))) {
    return "a report whose key does not pass its checksum";
  }
  const fragment = {
    blockStartMs: getInteger(view, 1),
    hostId: String.fromCharCode(...key.subarray(hostOffset, tail - 1)),
    timestampMs: getInteger(view, tail),
    idHigh: view.getUint32(tail + 8),
    idLow: view.getUint32(tail + 12),
    bytes: value,
  };
  const id = murmur3(value);
  if (id.high === fragment.idHigh && id.low === fragment.idLow) return fragment;
  return `a report of ${fragment.hostId} at ${fragment.timestampMs} does not pass its checksum`;
}

/** FNV-1a, finalised as MurmurHash3 does. */
function checkOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
