import { createHash } from "node:crypto";
import type { Points } from "./points.ts";
import { encodeRecord, type RingRecord } from "./serialized-ring.ts";

/** Bytes of a point: its position and its member's index. */
const POINT_BYTES = 6;

/**
 * The first 8 bytes, in hexadecimal, of SHA-256 over the record as canonical JSON and then each point, ascending, as
 * position (4 bytes, little-endian) and member index (2 bytes, little-endian).
 *
 * The points follow from the record; they are in so that a faulty implementation shows instead of routing otherwise.
 */
export function fingerprintOf(record: RingRecord, points: Points): string {
  const bytes = new DataView(new ArrayBuffer(points.length * POINT_BYTES));
  for (let i = 0; i < points.length; i++) {
    bytes.setUint32(i * POINT_BYTES, points.positions[i]!, true);
    bytes.setUint16(i * POINT_BYTES + 4, points.owners[i]!, true);
  }
  return createHash("sha256").update(encodeRecord(record)).update(bytes).digest("hex").slice(0, 16);
}
