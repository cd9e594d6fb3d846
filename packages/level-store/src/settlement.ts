import {
  blockMs,
  type EncodedChunk,
  encodeChunk,
  joinChunk,
  type Partition,
  type SeriesColumn,
} from "@mon/store";
import { BlockColumns, Plans } from "./block-columns.ts";
import { chunkKey } from "./chunk-key.ts";
import { HostBlocks } from "./host-blocks.ts";
import { type JoinedRecords, joinRecords } from "./joined-records.ts";
import { getInteger, putInteger, space, viewOf } from "./key.ts";
import { type InstantRange, noInstants, widen } from "./manifest.ts";
import { sealed } from "./record.ts";

/** A closed generation, as it goes to the worker. */
export interface ClosedGeneration {
  readonly slabs: readonly Uint8Array<SharedArrayBuffer>[];
  readonly timestampsMs: Float64Array;
  /** As in `Generation`. */
  readonly places: Uint32Array;
  readonly previous: Int32Array;
  readonly layouts: Uint16Array;
  /** Ids of hosts, one a line: one string crosses threads sooner than thousands. */
  readonly hostIds: string;
  /** Their newest entries, in the same order. */
  readonly lasts: Int32Array;
  /** When it is settled, by the writer's clock. */
  readonly wallMs: number;
}

/** Records for LevelDB. */
export interface RecordBatch extends JoinedRecords {
  /** The instants of the samples in it. */
  readonly instants: InstantRange;
}

/** Bytes that make a batch worth sending. */
const batchBytes = 512 * 1024;

/**
 * Turns a generation into chunks, one for each block of each host, and notes that they are to be packed.
 *
 * @returns how many fragments they were made of
 */
export function* settlementOf(generation: ClosedGeneration): Generator<RecordBatch, number> {
  const plans = new Plans();
  const views = generation.slabs.map(viewOf);
  const { timestampsMs, places, layouts } = generation;
  let batch = new BatchBuilder();
  let fragments = 0;
  const hostIds = generation.hostIds === "" ? [] : generation.hostIds.split("\n");
  for (const [host, hostId] of hostIds.entries()) {
    for (const [blockStartMs, entries] of blocksOf(generation, hostId, generation.lasts[host]!)) {
      const block = new BlockColumns(plans);
      for (const entry of entries) {
        const place = {
          view: views[places[3 * entry]!]!,
          offset: places[3 * entry + 1]!,
          length: places[3 * entry + 2]!,
        };
        block.add(timestampsMs[entry]!, place, layouts[entry]!);
      }
      fragments += block.fragments;
      batch.add(chunkRecords({ hostId, blockStartMs }, block, generation.wallMs));
      batch.touch(timestampsMs[entries[0]!]!, timestampsMs[entries.at(-1)!]!);
      if (batch.bytes < batchBytes) continue;
      yield batch.build();
      batch = new BatchBuilder();
    }
  }
  if (batch.bytes > 0) yield batch.build();
  return fragments;
}

/** The entries of a host by block, each in order of time. */
function* blocksOf(
  { timestampsMs, previous }: ClosedGeneration,
  hostId: string,
  last: number,
): Generator<[number, number[]]> {
  const entries: number[] = [];
  let isSorted = true;
  for (let entry = last; entry >= 0; entry = previous[entry]!) {
    if (entries.length > 0 && timestampsMs[entry]! > timestampsMs[entries.at(-1)!]!) isSorted = false;
    entries.push(entry);
  }
  entries.reverse();
  // Stable, so that the chunk of a generation is the same whenever it is made.
  if (!isSorted) entries.sort((a, b) => timestampsMs[a]! - timestampsMs[b]!);
  const blocks = new HostBlocks(hostId);
  for (let begin = 0; begin < entries.length; ) {
    const blockStartMs = blocks.startOf(timestampsMs[entries[begin]!]!);
    let end = begin + 1;
    while (end < entries.length && timestampsMs[entries[end]!]! < blockStartMs + blockMs) end++;
    yield [blockStartMs, entries.slice(begin, end)];
    begin = end;
  }
}

class BatchBuilder {
  readonly #parts: Uint8Array[] = [];
  readonly #instants = noInstants();
  bytes = 0;

  add(records: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): void {
    for (const [key, value] of records) {
      this.#parts.push(key, value);
      this.bytes += key.length + value.length;
    }
  }

  touch(minMs: number, maxMs: number): void {
    widen(this.#instants, { minMs, maxMs });
  }

  build(): RecordBatch {
    return { ...joinRecords(this.#parts), instants: this.#instants };
  }
}

/** The record of a block's chunk, and the note that it is to be packed. None when its reports have no samples. */
export function chunkRecords(
  partition: Partition,
  block: BlockColumns,
  wallMs: number,
): (readonly [key: Uint8Array, value: Uint8Array])[] {
  const unpacked = encodeUnpacked({ fragments: block.fragments, wallMs });
  return encodeAll(block.columns()).flatMap((chunk) => {
    const id = { ...partition, idHigh: chunk.idHigh, idLow: chunk.idLow };
    const key = chunkKey(id, space.chunk);
    const note = chunkKey(id, space.unpacked);
    return [[key, sealed(key, joinChunk(chunk))] as const, [note, sealed(note, unpacked)] as const];
  });
}

/** One chunk of columns, or more when their names and labels are too long for one. */
function encodeAll(columns: readonly SeriesColumn[]): EncodedChunk[] {
  if (columns.length === 0) return [];
  try {
    return [encodeChunk(columns, { effort: "fast" })];
  } catch (error) {
    if (!(error instanceof RangeError) || columns.length === 1) throw error;
    const middle = columns.length >>> 1;
    return [...encodeAll(columns.slice(0, middle)), ...encodeAll(columns.slice(middle))];
  }
}

/** What is noted of a chunk that is to be packed. */
export interface Unpacked {
  /** Fragments that it was made of. */
  readonly fragments: number;
  /** When it was made, by the writer's clock. */
  readonly wallMs: number;
}

function encodeUnpacked({ fragments, wallMs }: Unpacked): Uint8Array {
  const payload = new Uint8Array(12);
  const view = viewOf(payload);
  view.setUint32(0, fragments);
  putInteger(view, 4, wallMs);
  return payload;
}

export function decodeUnpacked(payload: Uint8Array): Unpacked {
  const view = viewOf(payload);
  return { fragments: view.getUint32(0), wallMs: getInteger(view, 4) };
}
