import { blockMs, type PackResult, type Partition } from "@mon/store";
import type { BatchLog } from "./batch-log.ts";
import { firstKeyOfBlock, parseChunkKey, partitionRange } from "./chunk-key.ts";
import type { ChunkMaker } from "./chunk-maker.ts";
import type { Database, Entry } from "./database.ts";
import { blockEnd } from "./host-blocks.ts";
import { joinRecords } from "./joined-records.ts";
import { equalBytes, singleKey, space } from "./key.ts";
import type { PackOutcome } from "./packing.ts";
import { unseal } from "./record.ts";
import { decodeUnpacked, type Unpacked } from "./settlement.ts";

/** What packing needs. */
export interface PackerDeps {
  readonly database: Database;
  readonly batches: BatchLog;
  readonly maker: ChunkMaker;
  readonly now: () => number;
  readonly exclusively: <T>(task: () => Promise<T>) => Promise<T>;
  /** Told of what cannot be read. */
  readonly complain: (complaint: string) => void;
  readonly signal: AbortSignal;
}

/** A packed block is packed again when so many fragments came late, or when the last of them is so old (R17). */
const lateFragments = 64;
const lateMs = 3_600_000;
/** A block of more than this stays in several chunks: packing it would take that much memory a few times over. */
const packBytesMax = 64 * 1024 * 1024;

/**
 * Merges the chunks of each closed block into one, a block at a time, so that settling never waits long. The chunk and
 * the deletes of what it was made of are one synced batch (R13).
 */
export class Packer {
  readonly #deps: PackerDeps;

  constructor(deps: PackerDeps) {
    this.#deps = deps;
  }

  /** Packs blocks that ended at or before an instant. Ends early, without an error, when the signal aborts. */
  async pack(closedBeforeMs: number): Promise<PackResult> {
    const result = { blocks: 0, bytesBefore: 0, bytesAfter: 0 };
    for await (const partition of this.#unpacked(closedBeforeMs)) {
      if (this.#deps.signal.aborted) break;
      const packed = await this.#deps.exclusively(() => this.#packOne(partition));
      if (packed === undefined) continue;
      result.blocks++;
      result.bytesBefore += packed.bytesBefore;
      result.bytesAfter += packed.bytesAfter;
    }
    return result;
  }

  /** Partitions that have chunks to be packed, in order of key. */
  async *#unpacked(closedBeforeMs: number): AsyncGenerator<Partition> {
    const range = {
      gte: singleKey(space.unpacked),
      lt: firstKeyOfBlock(Math.floor(closedBeforeMs) - blockMs + 1, space.unpacked),
    };
    let last: Partition | undefined;
    for await (const entries of this.#deps.database.scan(range, { onDamage: this.#deps.complain })) {
      for (const [key] of entries) {
        const partition = parseChunkKey(key);
        if (partition === undefined) continue;
        if (partition.hostId === last?.hostId && partition.blockStartMs === last.blockStartMs) continue;
        last = partition;
        yield { hostId: partition.hostId, blockStartMs: partition.blockStartMs };
      }
    }
  }

  /** @returns undefined when the block is better left as it is, or cannot be read */
  async #packOne(partition: Partition): Promise<{ bytesBefore: number; bytesAfter: number } | undefined> {
    const { batches, maker } = this.#deps;
    const notes = await this.#entriesOf(partition, space.unpacked);
    const records = await this.#entriesOf(partition, space.chunk);
    // It was trimmed meanwhile, or packed by another call.
    if (notes === undefined || records === undefined || notes.length === 0 || records.length === 0)
      return undefined;
    if (!this.#isDue(notes, records)) return undefined;
    const joined = joinRecords(records.flat());
    const bytesBefore = joined.bytes.length;
    const outcome: PackOutcome =
      bytesBefore > packBytesMax ? { kind: "left" } : await maker.pack({ partition, records: joined });
    if (outcome.kind === "damaged") {
      this.#deps.complain(outcome.reason);
      return undefined;
    }
    const bytesAfter =
      outcome.kind === "packed" ? outcome.key.length + outcome.value.length : Number.POSITIVE_INFINITY;
    const isGain = outcome.kind === "packed" && (records.length > 1 || bytesAfter < bytesBefore);
    await batches.append((batch) => {
      if (isGain) {
        batch.putSealed(outcome.key, outcome.value);
        batch.touch({ minMs: partition.blockStartMs, maxMs: blockEnd(partition.blockStartMs) });
        // Exactly what was read, but for what has just been written.
        for (const [key] of records) if (!equalBytes(key, outcome.key)) batch.delete(key);
      }
      for (const [key] of notes) batch.delete(key);
    });
    return isGain ? { bytesBefore, bytesAfter } : undefined;
  }

  /** All entries of a partition in a space; undefined when some cannot be read. */
  async #entriesOf(partition: Partition, first: number): Promise<Entry[] | undefined> {
    const { database, complain } = this.#deps;
    let complaint: string | undefined;
    const onDamage = (reason: string): void => {
      complaint = reason;
    };
    const found: Entry[] = [];
    for await (const entries of database.scan(partitionRange(partition, first), { onDamage })) {
      found.push(...entries);
    }
    if (complaint === undefined) return found;
    complain(complaint);
    return undefined;
  }

  #isDue(notes: readonly Entry[], records: readonly Entry[]): boolean {
    const noted = new Set(notes.map(([key]) => hex(key.subarray(1))));
    const isPacked = records.some(([key]) => !noted.has(hex(key.subarray(1))));
    if (!isPacked) return true;
    let fragments = 0;
    let newestWallMs = Number.NEGATIVE_INFINITY;
    for (const note of notes.map(noteOf)) {
      fragments += note.fragments;
      newestWallMs = Math.max(newestWallMs, note.wallMs);
    }
    return fragments >= lateFragments || this.#deps.now() - newestWallMs >= lateMs;
  }
}

function hex(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("hex");
}

/** What a note says; one that is damaged says the least, so that its chunk is packed. */
function noteOf([key, value]: Entry): Unpacked {
  const payload = unseal(key, value);
  return payload === undefined ? { fragments: lateFragments, wallMs: 0 } : decodeUnpacked(payload);
}
