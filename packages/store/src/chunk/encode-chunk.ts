import { hash } from "node:crypto";
import { constants, crc32, zstdCompressSync } from "node:zlib";
import type { SeriesColumn } from "../columns.ts";
import type { Series } from "../sample.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { Effort } from "./column-format.ts";
import { headerBytesMax, headerFlag, inlineBytesMax, version } from "./format.ts";
import { writeSeriesList } from "./series-list.ts";
import { TimeSets, writeTimeSets } from "./time-sets.ts";
import { writeColumn } from "./write-column.ts";

/** How to encode a chunk. */
export interface EncodeChunkOptions {
  /**
   * `fast` (the default) looks at each column and chooses; `small` tries everything, zstd too, and keeps what is
   * smallest, for a multiple of the time.
   */
  readonly effort?: Effort;
}

/** A chunk, in the parts that can be stored and fetched one by one. */
export interface EncodedChunk {
  /** The content id (R3): the first eight bytes of the SHA-256 of the header and all columns, in two halves. */
  readonly idHigh: number;
  readonly idLow: number;
  /** Series, instants, and columns so small that they need no place of their own. */
  readonly header: Uint8Array;
  /** By series, in the order given; empty when the column is in the header. */
  readonly columns: readonly Uint8Array[];
}

const nothing = new Uint8Array(0);
const body = new ByteWriter();
const column = new ByteWriter();
const head = new ByteWriter();

const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 9 } };

/**
 * Encodes columns of different series of one host as a chunk. Nothing of the input is kept. The same input gives the
 * same chunk; with `small` only under the same zstd, as other versions may make other bytes of the same samples.
 * O(samples).
 *
 * @param columns - at least one, none without samples
 * @throws {RangeError} when there are no columns, or a column is empty, does not rise, has parts of different lengths or
 *   more than 2^22 samples, or the instants span more than 2^50 ms, or names and labels take more than 64 MiB
 */
export function encodeChunk(
  columns: readonly SeriesColumn[],
  options: EncodeChunkOptions = {},
): EncodedChunk {
  const effort = options.effort ?? "fast";
  if (columns.length === 0) throw new RangeError("expected at least one column, got none");
  const timeSets = new TimeSets();
  const setIndices: number[] = [];
  const series: Series[] = [];
  for (const one of columns) {
    assertLengths(one);
    setIndices.push(timeSets.indexOf(one.timestampsMs));
    series.push(one.series);
  }
  const { sets, startMs, endMs } = timeSets;
  if (endMs - startMs > 2 ** 50) {
    throw new RangeError(`expected instants at most 2^50 ms apart, got ${startMs} and ${endMs}`);
  }
  body.clear();
  body.varint(Math.abs(startMs));
  body.varint(endMs - startMs);
  writeTimeSets(body, sets, startMs, effort);
  body.varint(columns.length);
  const bodies: Uint8Array[] = [];
  for (let i = 0; i < columns.length; i++) {
    if (sets.length > 1) body.varint(setIndices[i]!);
    bodies.push(writeEntry(columns[i]!, effort));
  }
  writeSeriesList(body, series);
  if (body.length > headerBytesMax) {
    throw new RangeError(`expected a header of at most ${headerBytesMax} bytes, got ${body.length}`);
  }
  const header = sealHeader(body.bytes.subarray(0, body.length), startMs < 0, effort);
  const id = hash("sha256", joinParts(header, bodies), "buffer");
  return { idHigh: id.readUInt32BE(0), idLow: id.readUInt32BE(4), header, columns: bodies };
}

function assertLengths({ series, timestampsMs, values, flags }: SeriesColumn): void {
  const { length } = timestampsMs;
  if (values.length === length && flags.length === length) return;
  throw new RangeError(
    `expected ${length} values and flags of ${series.name}, as instants, got ${values.length} and ${flags.length}`,
  );
}

/** Writes where a column is into the header's body, and the column itself when it is small. @returns it otherwise */
function writeEntry({ values, flags }: SeriesColumn, effort: Effort): Uint8Array {
  column.clear();
  writeColumn(column, values, flags, effort);
  const { bytes, length } = column;
  body.varint(length);
  if (length > inlineBytesMax) {
    const apart = column.slice();
    body.word(crc32(apart));
    return apart;
  }
  body.reserve(length);
  for (let i = 0; i < length; i++) body.bytes[body.length++] = bytes[i]!;
  return nothing;
}

/** Puts version, checksum and length before a header's body. */
function sealHeader(plain: Uint8Array, isNegative: boolean, effort: Effort): Uint8Array {
  const compressed = effort === "small" ? zstdCompressSync(plain, zstdOptions) : plain;
  const isCompressed = compressed.length < plain.length;
  const content = isCompressed ? compressed : plain;
  head.clear();
  head.byte(version);
  head.word(0);
  head.byte((isCompressed ? headerFlag.zstd : 0) | (isNegative ? headerFlag.negativeStart : 0));
  if (isCompressed) head.varint(plain.length);
  head.varint(content.length);
  head.put(content);
  const header = head.slice();
  const checksum = crc32(header.subarray(5), version);
  new DataView(header.buffer).setUint32(1, checksum, true);
  head.clear();
  return header;
}

/** One value that holds all of a chunk: the header, then the columns. The header itself when it has them all. */
export function joinChunk({ header, columns }: Pick<EncodedChunk, "header" | "columns">): Uint8Array {
  return joinParts(header, columns);
}

function joinParts(header: Uint8Array, columns: readonly Uint8Array[]): Uint8Array {
  let length = header.length;
  for (const part of columns) length += part.length;
  if (length === header.length) return header;
  const joined = new Uint8Array(length);
  joined.set(header);
  let position = header.length;
  for (const part of columns) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}
