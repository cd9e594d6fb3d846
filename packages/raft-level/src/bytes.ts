const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: true });

/** A view of all of some bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Writes a whole number from 0 to 2^53 − 1 in eight bytes, big-endian, so that bytes sort as numbers do. */
export function putInteger(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 0x1_0000_0000));
  view.setUint32(at + 4, value >>> 0);
}

/** Reads what {@link putInteger} wrote. */
export function getInteger(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

export function encodeText(text: string): Uint8Array {
  return textEncoder.encode(text);
}

/** @throws {TypeError} when the bytes are no UTF-8 */
export function decodeText(bytes: Uint8Array): string {
  return textDecoder.decode(bytes);
}
