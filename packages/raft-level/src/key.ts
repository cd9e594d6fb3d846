import { getInteger, putInteger, viewOf } from "./bytes.ts";

/** Keys of LevelDB: one for the head, one for the identity, and `e` with the index for each entry. */
export const headKey: Uint8Array = Uint8Array.of(0x68); // h
export const stableKey: Uint8Array = Uint8Array.of(0x73); // s
const entrySpace = 0x65; // e

/** Bytes of an entry's key. */
export const entryKeyBytes = 9;

/** Writes the key of the entry at `index`. */
export function putEntryKey(bytes: Uint8Array, index: number): void {
  bytes[0] = entrySpace;
  putInteger(viewOf(bytes), 1, index);
}

/** The key of the entry at `index`; keys sort as indexes do. */
export function entryKey(index: number): Uint8Array {
  const key = new Uint8Array(entryKeyBytes);
  putEntryKey(key, index);
  return key;
}

/** The index of an entry's key; undefined when the key is none. */
export function indexOfKey(key: Uint8Array): number | undefined {
  return key.length === entryKeyBytes && key[0] === entrySpace ? getInteger(viewOf(key), 1) : undefined;
}
