import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";

/**
 * Writes doubles byte by byte of their bits, all highest bytes first, then all second ones and so on. Signs, exponents
 * and first digits repeat where the rest is noise: together they are what zstd can make small.
 *
 * @param bytes - eight for each double, the lowest first
 */
export function writePlanes(out: ByteWriter, bytes: Uint8Array, length: number): void {
  out.reserve(8 * length);
  for (let plane = 7; plane >= 0; plane--) {
    for (let i = plane; i < 8 * length; i += 8) out.bytes[out.length++] = bytes[i]!;
  }
}

/** Reads the first `count` of doubles. */
export function readPlanes(reader: ByteReader, bytes: Uint8Array, length: number, count: number): void {
  const planes = reader.take(8 * length);
  for (let plane = 7; plane >= 0; plane--) {
    const start = (7 - plane) * length;
    for (let i = 0; i < count; i++) bytes[8 * i + plane] = planes[start + i]!;
  }
}
