/** Where the length-delimited field at `start` ends; beyond all bytes when it is none, or its length is not minimal. */
export function fieldEnd(bytes: Uint8Array, start: number): number {
  const beyond = bytes.length + 1;
  let position = start + 1;
  let size = bytes[position++]!;
  if (size >= 0x80) {
    size &= 0x7f;
    for (let shift = 7; ; shift += 7) {
      const byte = bytes[position++];
      if (byte === undefined || byte === 0 || shift > 21) return beyond;
      size |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
  }
  const end = position + size;
  return end <= bytes.length ? end : beyond;
}

/** Where the varint at `start` ends. */
export function varintEnd(bytes: Uint8Array, start: number): number {
  let position = start;
  while (position < bytes.length && bytes[position]! >= 0x80) position++;
  return position + 1;
}

/** Whether eight bytes are the double +0, which canonical bytes leave out. */
export function isZero(bytes: Uint8Array, start: number): boolean {
  for (let i = start; i < start + 8; i++) if (bytes[i] !== 0) return false;
  return true;
}
