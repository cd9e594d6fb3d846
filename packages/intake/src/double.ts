const scratch = new DataView(new ArrayBuffer(8));

/** The double in the eight bytes at `at`. A NaN loses its payload; look at the bytes where that matters. */
export function doubleAt(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) scratch.setUint8(i, bytes[at + i]!);
  return scratch.getFloat64(0, true);
}

/** Whether the eight bytes at `at` are a number: neither NaN nor an infinity. */
export function isFiniteAt(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + 7]! & 0x7f) !== 0x7f || bytes[at + 6]! < 0xf0;
}

/** Whether the eight bytes at `at` are +0, which canonical bytes leave out. */
export function isZeroAt(bytes: Uint8Array, at: number): boolean {
  // Nearly every other number differs in its last two bytes.
  if (bytes[at + 7] !== 0 || bytes[at + 6] !== 0) return false;
  for (let i = at; i < at + 6; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Whether the eight bytes at `at` are the NaN by which Prometheus says that a series has ended: 0x7ff0000000000002. */
export function isStaleMarkerAt(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 2 || bytes[at + 7] !== 0x7f || bytes[at + 6] !== 0xf0) return false;
  for (let i = at + 1; i < at + 6; i++) if (bytes[i] !== 0) return false;
  return true;
}
