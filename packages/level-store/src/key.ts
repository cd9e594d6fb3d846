/** The first byte of every key: what kind of record it names. README "On disk" has the layout byte by byte. */
export const space = {
  catalogue: 0x63, // c
  damage: 0x64, // d
  fragment: 0x66, // f, of format 1
  journalDamage: 0x6a, // j
  chunk: 0x6b, // k
  latest: 0x6c, // l
  metadata: 0x6d, // m
  position: 0x70, // p
  unpacked: 0x71, // q
  sequence: 0x73, // s
  version: 0x76, // v
} as const;

/** The instants that a JavaScript `Date` can hold, in milliseconds to either side of the epoch. */
export const maxInstantMs = 8_640_000_000_000_000;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

/** Writes a whole number between ±2^53 in eight bytes whose order is that of the numbers. */
export function putInteger(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, integerHigh(value));
  view.setUint32(offset + 4, value >>> 0);
}

/** The upper half of a whole number as {@link putInteger} writes it, sign bit flipped. */
function integerHigh(value: number): number {
  return (Math.floor(value / 0x1_0000_0000) ^ 0x8000_0000) >>> 0;
}

/** Reads what {@link putInteger} wrote. */
export function getInteger(view: DataView, offset: number): number {
  return (view.getUint32(offset) ^ 0x8000_0000) * 0x1_0000_0000 + view.getUint32(offset + 4);
}

/** A view of all of some bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The only key of a space that has one record. */
export function singleKey(first: number): Uint8Array {
  return Uint8Array.of(first);
}

/** A key made of a number, which orders the space. */
export function numberKey(first: number, value: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = first;
  putInteger(viewOf(key), 1, value);
  return key;
}

/** The number of a {@link numberKey}; undefined when the key is none. */
export function numberOfKey(key: Uint8Array): number | undefined {
  return key.length === 9 ? getInteger(viewOf(key), 1) : undefined;
}

/** A key made of a host's id and, after a zero byte, a text. */
export function hostKey(first: number, hostId: string, text?: string): Uint8Array {
  return textEncoder.encode(
    String.fromCharCode(first) + (text === undefined ? hostId : `${hostId}\0${text}`),
  );
}

/** The host's id of a {@link hostKey}. */
export function hostOfKey(key: Uint8Array): string {
  const end = key.indexOf(0, 1);
  return textDecoder.decode(key.subarray(1, end === -1 ? key.length : end));
}

/** Where a space ends: the least key after all of its keys. */
export function endOfSpace(first: number): Uint8Array {
  return Uint8Array.of(first + 1);
}

/** Whether two runs of bytes are the same. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
