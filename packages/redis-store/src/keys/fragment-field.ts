import type { Fragment } from "@mon/store";

/** Bytes of a field that names a fragment: its instant and its id. */
export const fragmentFieldBytes = 16;

const two32 = 2 ** 32;

/** Writes an instant as a signed 64-bit integer, big-endian: what Lua's `struct.unpack('>i8', …)` reads. */
export function putInstant(target: Buffer, position: number, timestampMs: number): void {
  const high = Math.floor(timestampMs / two32);
  target.writeInt32BE(high, position);
  target.writeUInt32BE(timestampMs - high * two32, position + 4);
}

/** The instant at a place, as {@link putInstant} wrote it. */
export function instantAt(bytes: Uint8Array, position: number): number {
  const high =
    (bytes[position]! << 24) |
    (bytes[position + 1]! << 16) |
    (bytes[position + 2]! << 8) |
    bytes[position + 3]!;
  return high * two32 + wordAt(bytes, position + 4);
}

/** The unsigned 32-bit integer at a place, big-endian. */
export function wordAt(bytes: Uint8Array, position: number): number {
  return (
    ((bytes[position]! << 24) |
      (bytes[position + 1]! << 16) |
      (bytes[position + 2]! << 8) |
      bytes[position + 3]!) >>>
    0
  );
}

/** Writes the field of a fragment within its bucket. */
export function putFragmentField(
  target: Buffer,
  { timestampMs, idHigh, idLow }: Pick<Fragment, "timestampMs" | "idHigh" | "idLow">,
): void {
  putInstant(target, 0, timestampMs);
  target.writeUInt32BE(idHigh, 8);
  target.writeUInt32BE(idLow, 12);
}

/** Which fragment a field names; undefined when it is none of ours. */
export function readFragmentField(
  field: Uint8Array,
): Pick<Fragment, "timestampMs" | "idHigh" | "idLow"> | undefined {
  if (field.length !== fragmentFieldBytes) return undefined;
  return { timestampMs: instantAt(field, 0), idHigh: wordAt(field, 8), idLow: wordAt(field, 12) };
}
