import { crc32 } from "node:zlib";
import { dataBytes } from "./throughput.ts";

/**
 * The least that a replicated log must do for an entry: put its fields and its data into one buffer, and take the
 * checksum of that. Entries a second.
 */
export function measureFloor(seconds: number): number {
  const data = Buffer.alloc(dataBytes, 0x5a);
  const record = Buffer.alloc(29 + dataBytes);
  const batch = 1_000;
  let index = 0;
  let mixed = 0;
  const endMs = performance.now() + seconds * 1_000;
  const beganMs = performance.now();
  while (performance.now() < endMs) {
    for (let left = batch; left > 0; left--) {
      index++;
      record.writeUInt32LE(index >>> 0, 0);
      record.writeUInt32LE(Math.floor(index / 2 ** 32), 4);
      record.writeUInt32LE(1, 8);
      record.writeUInt32LE(0, 12);
      record[16] = 0;
      record.writeDoubleLE(index, 17);
      record.writeUInt32LE(data.length, 25);
      record.set(data, 29);
      mixed ^= crc32(record);
    }
  }
  // So that nothing of it can be left out.
  if (mixed === index) throw new Error("expected checksums to differ from a count");
  return index / ((performance.now() - beganMs) / 1_000);
}
