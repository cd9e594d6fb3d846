import { Chunk, type Series, StoreError, type TimeRange } from "@mon/store";
import { type ChunkName, columnField, readChunkField } from "../keys/chunk-field.ts";
import { dayStart } from "../keys/key-space.ts";
import { slotOf } from "../servers/slot.ts";
import type { Reply } from "../wire/reply.ts";
import { ask, bytesOf, type Question } from "./ask.ts";
import type { HostReadDeps } from "./host-read-deps.ts";

/** Where a chunk is. */
export interface ChunkPlace extends ChunkName {
  readonly dayStartMs: number;
  /** The field of its header. */
  readonly field: Uint8Array;
}

/** A chunk and the columns of it that were asked for. */
export interface FoundChunk {
  readonly place: ChunkPlace;
  readonly chunk: Chunk;
  readonly header: Uint8Array;
  /** Columns that are not in the header, by number: those that were asked for. */
  readonly columns: ReadonlyMap<number, Uint8Array>;
}

/** Reads the chunks of one host. */
export class ChunkReader {
  readonly #deps: HostReadDeps;
  readonly #hostId: string;
  readonly #slot: number;
  readonly #signal: AbortSignal | undefined;

  constructor(deps: HostReadDeps, hostId: string, signal?: AbortSignal) {
    this.#deps = deps;
    this.#hostId = hostId;
    this.#slot = slotOf(hostId);
    this.#signal = signal;
  }

  /** The chunks of some blocks, by block. */
  async list(blocks: readonly number[]): Promise<ChunkPlace[]> {
    const { keys } = this.#deps;
    const days = [...new Set(blocks.map(dayStart))];
    const replies = await this.#ask(
      days.map((day) => ({
        slot: this.#slot,
        encode: (commands) => commands.begin(2).text("HKEYS").text(keys.chunks(this.#hostId, day)),
      })),
    );
    const asked = new Set(blocks);
    const places: ChunkPlace[] = [];
    for (const [i, [reply]] of replies.entries()) {
      for (const field of bytesOf(reply)) {
        const name = readChunkField(field);
        if (name !== undefined && asked.has(name.blockStartMs))
          places.push({ ...name, field, dayStartMs: days[i]! });
      }
    }
    return places.sort((a, b) => a.blockStartMs - b.blockStartMs);
  }

  /**
   * Fetches chunks: headers, then the columns that are wanted of those that overlap a range.
   *
   * @param onDamage - told of a chunk whose header is none, which is left out; without it that is thrown
   * @returns undefined when one of them is gone by now
   * @throws {StoreError} STORE_CHUNK_INVALID, STORE_VERSION_UNKNOWN
   */
  async fetch(
    places: readonly ChunkPlace[],
    range: TimeRange,
    wants: (series: Series) => boolean,
    onDamage?: (place: ChunkPlace, error: StoreError) => void,
  ): Promise<FoundChunk[] | undefined> {
    if (places.length === 0) return [];
    const { keys } = this.#deps;
    const headers = await this.#ask(
      places.map(({ dayStartMs, field }) => ({
        slot: this.#slot,
        encode: (commands) =>
          commands.begin(3).text("HGET").text(keys.chunks(this.#hostId, dayStartMs)).bytes(field),
      })),
    );
    const found: { place: ChunkPlace; chunk: Chunk; header: Uint8Array; columns: Map<number, Uint8Array> }[] =
      [];
    for (const [i, place] of places.entries()) {
      const [header] = headers[i]!;
      if (!(header instanceof Uint8Array)) return undefined;
      const columns = new Map<number, Uint8Array>();
      const chunk = chunkOf(header, columns, (error) => {
        if (onDamage === undefined) throw error;
        onDamage(place, error);
      });
      if (chunk === undefined) continue;
      if (chunk.startMs <= range.endMs && chunk.endMs >= range.startMs)
        found.push({ place, chunk, header, columns });
    }
    const asked = found
      .map((one) => ({ ...one, indices: wantedApart(one.chunk, wants) }))
      .filter(({ indices }) => indices.length > 0);
    const bodies = await this.#ask(
      asked.map(({ place, indices }) => ({
        slot: this.#slot,
        encode: (commands) => {
          commands
            .begin(2 + indices.length)
            .text("HMGET")
            .text(keys.columns(this.#hostId, place.dayStartMs));
          for (const index of indices) commands.bytes(columnField(place.field, index));
        },
      })),
    );
    for (const [i, { columns, indices }] of asked.entries()) {
      const [values] = bodies[i]!;
      if (!Array.isArray(values)) return undefined;
      for (const [j, index] of indices.entries()) {
        const value = values[j];
        if (!(value instanceof Uint8Array)) return undefined;
        columns.set(index, value);
      }
    }
    return found;
  }

  async #ask(questions: readonly Question[]): Promise<readonly (readonly Reply[])[]> {
    if (questions.length === 0) return [];
    return ask(this.#deps.servers, questions, { signal: this.#signal });
  }
}

function chunkOf(
  header: Uint8Array,
  columns: ReadonlyMap<number, Uint8Array>,
  onDamage: (error: StoreError) => void,
): Chunk | undefined {
  try {
    return Chunk.of(header, (index) => columns.get(index)!);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    onDamage(error);
    return undefined;
  }
}

function wantedApart(chunk: Chunk, wants: (series: Series) => boolean): number[] {
  const indices: number[] = [];
  for (const [index, series] of chunk.series.entries())
    if (chunk.isApart(index) && wants(series)) indices.push(index);
  return indices;
}
