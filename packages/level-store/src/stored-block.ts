import type { Partition, Series, TimeRange } from "@mon/store";
import type { BlockDecoder, DecodedRead, ReadStretch } from "./block-decoder.ts";
import { readBlock } from "./block-reader.ts";
import { partitionRange } from "./chunk-key.ts";
import type { Database, Snapshot } from "./database.ts";
import type { FragmentList } from "./fragment-list.ts";
import { type JoinedRecords, joinRecords, recordsOf } from "./joined-records.ts";
import { space } from "./key.ts";
import { storedChunk } from "./stored-chunk.ts";

/** What a host has of one block: records of its chunks, and its fragments in memory. */
export interface BlockParts {
  readonly records: JoinedRecords;
  readonly head: FragmentList;
}

/** How blocks of one read are read. */
export interface BlockReadsDeps {
  readonly decoder: BlockDecoder;
  readonly wants: (series: Series) => boolean;
  readonly maxSliceSamples: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a byte of a chunk costs to decode, in bytes of fragments. */
const chunkByteCost = 8;

/** All chunks of a partition as they are in LevelDB. */
export async function recordsOfPartition(
  database: Database,
  partition: Partition,
  onDamage: (reason: string) => void,
  snapshot: Snapshot,
): Promise<JoinedRecords> {
  const parts: Uint8Array[] = [];
  const range = partitionRange(partition, space.chunk);
  for await (const entries of database.scan(range, { onDamage, snapshot })) {
    for (const [key, value] of entries) parts.push(key, value);
  }
  const joined = joinRecords(parts);
  for (const part of parts) free(part);
  return joined;
}

/** Less than this is not worth the call. */
const freeBytesMin = 1_024;

/**
 * Frees bytes that LevelDB gave and nobody needs any more. Left to the garbage collector, megabytes of them pile up
 * within a second, until V8 stops everything to look for such memory.
 */
function free({ byteLength, buffer }: Uint8Array): void {
  if (byteLength < freeBytesMin || byteLength < buffer.byteLength) return;
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}

/** Decodes the blocks of one read, large ones in another thread, which is begun with the first of them. */
export class BlockReads {
  readonly #deps: BlockReadsDeps;
  #decoded: DecodedRead | undefined;

  constructor(deps: BlockReadsDeps) {
    this.#deps = deps;
  }

  /**
   * The stretches of a block within a range, as `readBlock` cuts them. What is large is sent at once, and decoded while
   * its reader does something else.
   *
   * @throws {StoreError} STORE_UNAVAILABLE, when the other thread cannot start, or dies
   */
  read(parts: BlockParts, range: TimeRange): Iterable<ReadStretch> | AsyncIterable<ReadStretch> {
    const head = parts.head.within(range.startMs, range.endMs);
    const { decoder, wants, maxSliceSamples, signal } = this.#deps;
    if (sizeOf({ ...parts, head }) <= decoder.inlineBytesMax)
      return this.#readHere({ ...parts, head }, range);
    this.#decoded ??= decoder.begin(wants, signal);
    return this.#decoded.decode({ records: parts.records, head: head.toPlaces(), range, maxSliceSamples });
  }

  *#readHere({ records, head }: BlockParts, range: TimeRange): Generator<ReadStretch, void, void> {
    let damage: string[] = [];
    const onDamage = (reason: string): void => {
      damage.push(reason);
    };
    const chunks = [...recordsOf(records)].flatMap(
      ([key, value]) => storedChunk(key, value, onDamage)?.chunk ?? [],
    );
    for (const stretch of readBlock({ chunks, head }, range, { ...this.#deps, onDamage })) {
      yield { ...stretch, damage };
      damage = [];
    }
  }

  /** Idempotent. */
  close(): void {
    this.#decoded?.close();
  }
}

/** Bytes of chunks, and of fragments what they cost in such. */
function sizeOf({ records, head }: BlockParts): number {
  let headBytes = 0;
  for (let i = 0; i < head.length; i++) headBytes += head.lengthAt(i);
  return records.bytes.length + headBytes / chunkByteCost;
}
