import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import { ByteWriter } from "../src/chunk/byte-writer.ts";
import { writeXor } from "../src/chunk/xor.ts";
import { encodeChunk, joinChunk, type SeriesColumn } from "../src/index.ts";

/** A way to store columns, by the bytes it takes, instants in and names out. */
export interface Rival {
  readonly name: string;
  readonly bytes: (columns: readonly SeriesColumn[]) => number;
}

const zstdOptions = {
  params: { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_windowLog]: 24 },
};

/** A column as it lies in memory. */
function raw(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The distinct sets of instants: general compressors get them once, as chunks do. */
function instantSets(columns: readonly SeriesColumn[]): Float64Array[] {
  const sets = new Map(columns.map(({ timestampsMs }) => [timestampsMs.join(), timestampsMs]));
  return [...sets.values()];
}

function eachBy(compress: (bytes: Uint8Array) => Uint8Array): Rival["bytes"] {
  return (columns) => {
    const parts = [...instantSets(columns), ...columns.map(({ values }) => values)];
    return parts.reduce((sum, part) => sum + compress(raw(part)).length, 0);
  };
}

/** Without names, which the catalogue has: two bytes a series remain of them. */
function chunkBytes(columns: readonly SeriesColumn[], effort: "fast" | "small"): number {
  const nameless = columns.map((column) => ({
    ...column,
    series: { ...column.series, name: "", labels: [] },
  }));
  return joinChunk(encodeChunk(nameless, { effort })).length;
}

/** Gorilla's instants, for each column its own: §4.1.1, with milliseconds in place of seconds. */
function gorillaInstantBits(timestampsMs: Float64Array): number {
  let bits = 64;
  let last = 0;
  for (let i = 1; i < timestampsMs.length; i++) {
    const delta = timestampsMs[i]! - timestampsMs[i - 1]!;
    const change = delta - last;
    last = delta;
    if (i === 1) bits += 14;
    else if (change === 0) bits += 1;
    else if (change >= -63 && change <= 64) bits += 9;
    else if (change >= -255 && change <= 256) bits += 12;
    else bits += change >= -2_047 && change <= 2_048 ? 16 : 36;
  }
  return bits;
}

const scratch = new ByteWriter();

function gorillaBytes(columns: readonly SeriesColumn[]): number {
  let bytes = 0;
  for (const { timestampsMs, values } of columns) {
    scratch.clear();
    writeXor(scratch, new Uint32Array(values.slice().buffer), values.length);
    bytes += Math.ceil(gorillaInstantBits(timestampsMs) / 8) + scratch.length;
  }
  return bytes;
}

export const rivals: readonly Rival[] = [
  { name: "small", bytes: (columns) => chunkBytes(columns, "small") },
  { name: "fast", bytes: (columns) => chunkBytes(columns, "fast") },
  { name: "zstd, each", bytes: eachBy((bytes) => zstdCompressSync(bytes, zstdOptions)) },
  {
    name: "zstd, all in one",
    bytes: (columns) => {
      const parts = [...instantSets(columns), ...columns.map(({ values }) => values)];
      return zstdCompressSync(Buffer.concat(parts.map(raw)), zstdOptions).length;
    },
  },
  { name: "gzip, each", bytes: eachBy((bytes) => gzipSync(bytes, { level: 9 })) },
  { name: "Gorilla", bytes: gorillaBytes },
  { name: "naive", bytes: (columns) => columns.reduce((sum, { values }) => sum + 16 * values.length, 0) },
];
