import { crc32, zstdDecompressSync } from "node:zlib";
import type { SeriesColumn } from "../columns.ts";
import { StoreError } from "../errors.ts";
import type { Series } from "../sample.ts";
import type { TimeRange } from "../store.ts";
import { ByteReader, chunkInvalid } from "./byte-reader.ts";
import { headerBytesMax, headerFlag, inlineBytesMax, version } from "./format.ts";
import { readColumn } from "./read-column.ts";
import { readSeriesList } from "./series-list.ts";
import { WrittenTimeSets } from "./written-time-sets.ts";

/** Where a column is. */
interface ColumnEntry {
  readonly setIndex: number;
  readonly size: number;
  /** Where in the header's body the column lies; -1 when it does not. */
  readonly inlineAt: number;
  /** Of a column that does not. */
  readonly checksum: number;
}

/**
 * A chunk being read. The header is checked and read at once, instants and columns when they are first asked for.
 * Keeps a view of the bytes it was made of, which must not change.
 */
export class Chunk {
  /** In the order in which the columns were given. Chunks with equal lists may share one. */
  readonly series: readonly Series[];
  /** The first instant of any column. */
  readonly startMs: number;
  /** The last instant of any column. */
  readonly endMs: number;
  /** Samples in all columns. */
  readonly samples: number;
  readonly #body: Uint8Array;
  readonly #entries: readonly ColumnEntry[];
  readonly #timeSets: WrittenTimeSets;
  readonly #fetch: (index: number) => Uint8Array;

  private constructor({ body, isNegative }: Header, fetch: (index: number) => Uint8Array) {
    this.#fetch = fetch;
    const reader = new ByteReader(body);
    const magnitude = reader.varint();
    this.startMs = isNegative ? -magnitude : magnitude;
    this.endMs = this.startMs + reader.varint();
    if (!Number.isSafeInteger(this.startMs) || !Number.isSafeInteger(this.endMs)) {
      throw chunkInvalid(`expected whole milliseconds, got ${this.startMs} to ${this.endMs}`);
    }
    this.#timeSets = WrittenTimeSets.read(reader, this.startMs, this.endMs);
    const count = reader.count(2);
    this.#entries = readEntries(reader, count, this.#timeSets.count);
    this.series = readSeriesList(reader, count);
    this.#body = body;
    let samples = 0;
    for (const { setIndex } of this.#entries) samples += this.#timeSets.lengthOf(setIndex);
    this.samples = samples;
  }

  /**
   * A chunk from one value, as `joinChunk` makes it.
   *
   * @throws {StoreError} STORE_CHUNK_INVALID; STORE_VERSION_UNKNOWN when a newer version wrote it
   */
  static parse(bytes: Uint8Array): Chunk {
    const header = readHeader(bytes);
    const starts: number[] = [];
    const chunk = new Chunk(header, (index) => {
      const start = starts[index]!;
      return bytes.subarray(start, start + chunk.#entries[index]!.size);
    });
    let end = header.length;
    for (const { inlineAt, size } of chunk.#entries) {
      starts.push(end);
      if (inlineAt < 0) end += size;
    }
    if (end !== bytes.length) throw chunkInvalid(`expected a chunk of ${end} bytes, got ${bytes.length}`);
    return chunk;
  }

  /**
   * A chunk from its header, and columns that are asked for when they are read; those in the header are not.
   *
   * @throws {StoreError} STORE_CHUNK_INVALID; STORE_VERSION_UNKNOWN when a newer version wrote it
   */
  static of(header: Uint8Array, fetch: (index: number) => Uint8Array): Chunk {
    const parsed = readHeader(header);
    if (parsed.length !== header.length) {
      throw chunkInvalid(`expected a header of ${parsed.length} bytes, got ${header.length}`);
    }
    return new Chunk(parsed, fetch);
  }

  /** Whether a column has bytes of its own, that is, is not in the header. */
  isApart(index: number): boolean {
    return this.#entry(index).inlineAt < 0;
  }

  /**
   * The samples of a series, all or those of a range; those after it are not decoded. The arrays are the caller's.
   *
   * @param index - into {@link series}
   * @throws {StoreError} STORE_CHUNK_INVALID when the column or its instants are not what was written
   * @throws {RangeError} when there is no such column
   */
  column(index: number, range?: TimeRange): SeriesColumn {
    const entry = this.#entry(index);
    const instants = this.#timeSets.get(entry.setIndex);
    const from = range === undefined ? 0 : firstFrom(instants, range.startMs);
    const to = range === undefined ? instants.length : Math.max(from, firstFrom(instants, range.endMs + 1));
    const { values, flags } = readColumn(this.#reader(entry, index), instants.length, from, to);
    return { series: this.series[index]!, timestampsMs: instants.slice(from, to), values, flags };
  }

  #reader({ inlineAt, size, checksum }: ColumnEntry, index: number): ByteReader {
    if (inlineAt >= 0) return new ByteReader(this.#body, inlineAt, inlineAt + size);
    const bytes = this.#fetch(index);
    if (bytes.length !== size || crc32(bytes) !== checksum) {
      throw chunkInvalid(`expected the ${size} bytes of column ${index}, got other bytes`);
    }
    return new ByteReader(bytes);
  }

  #entry(index: number): ColumnEntry {
    const entry = this.#entries[index];
    if (entry === undefined) {
      throw new RangeError(`expected a column below ${this.#entries.length}, got ${index}`);
    }
    return entry;
  }
}

/** The index of the first instant at or after `ms`. */
function firstFrom(instants: Float64Array, ms: number): number {
  let low = 0;
  let high = instants.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (instants[middle]! < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A header whose checksum is right. */
interface Header {
  /** In bytes, with all that goes before the body. */
  readonly length: number;
  readonly body: Uint8Array;
  readonly isNegative: boolean;
}

function readHeader(bytes: Uint8Array): Header {
  const reader = new ByteReader(bytes);
  const found = reader.byte();
  const checksum = reader.word();
  const flags = reader.byte();
  const isCompressed = (flags & headerFlag.zstd) !== 0;
  if (flags > (headerFlag.zstd | headerFlag.negativeStart)) {
    throw chunkInvalid(`expected known flags of a header, got ${flags}`);
  }
  const plainLength = isCompressed ? reader.varint() : 0;
  const content = reader.take(reader.varint());
  const length = reader.position;
  // All versions have the same frame, and each its own checksum, so that a flipped version is not taken for a newer one.
  if (crc32(bytes.subarray(5, length), found) !== checksum) {
    throw chunkInvalid("expected the header of a chunk, got other bytes");
  }
  if (found !== version) {
    throw new StoreError("STORE_VERSION_UNKNOWN", `expected a chunk of version ${version}, got ${found}`);
  }
  return {
    length,
    body: isCompressed ? inflate(content, plainLength) : content,
    isNegative: (flags & headerFlag.negativeStart) !== 0,
  };
}

function inflate(content: Uint8Array, length: number): Uint8Array {
  if (length > headerBytesMax || length === 0) {
    throw chunkInvalid(`expected a header of 1 to ${headerBytesMax} bytes, got ${length}`);
  }
  let body: Uint8Array;
  try {
    body = zstdDecompressSync(content, { maxOutputLength: length });
  } catch (cause) {
    throw chunkInvalid("expected a zstd frame, got something else", cause);
  }
  if (body.length !== length) throw chunkInvalid(`expected a header of ${length} bytes, got ${body.length}`);
  return body;
}

function readEntries(reader: ByteReader, count: number, setCount: number): ColumnEntry[] {
  const entries: ColumnEntry[] = [];
  for (let i = 0; i < count; i++) {
    const setIndex = setCount > 1 ? reader.varint() : 0;
    if (setIndex >= setCount)
      throw chunkInvalid(`expected a set of instants below ${setCount}, got ${setIndex}`);
    const size = reader.varint();
    if (size <= inlineBytesMax) {
      entries.push({ setIndex, size, inlineAt: reader.skip(size), checksum: 0 });
    } else entries.push({ setIndex, size, inlineAt: -1, checksum: reader.word() });
  }
  return entries;
}
