import { murmur3 } from "@mon/store";
import type { FragmentKey } from "./fragment-key.ts";
import { viewOf } from "./key.ts";

/** Bytes that {@link sealFragment} puts before a fragment. */
export const fragmentSealBytes = 4;

/**
 * Writes the check of a fragment's key into the first {@link fragmentSealBytes} of its value. The bytes that follow need
 * no check of their own: the id in the key is their hash. Both together cover the record, for a third of what a CRC-32
 * over all of it takes.
 */
export function sealFragment(key: Uint8Array, value: Uint8Array): void {
  const check = checkOf(key);
  value[0] = check >>> 24;
  value[1] = check >>> 16;
  value[2] = check >>> 8;
  value[3] = check;
}

/** The bytes of a fragment, a view of `value`; undefined when they or the key are not what was written. */
export function unsealFragment(
  key: Uint8Array,
  { idHigh, idLow }: FragmentKey,
  value: Uint8Array,
): Uint8Array | undefined {
  if (value.length < fragmentSealBytes || viewOf(value).getUint32(0) !== checkOf(key) >>> 0) return undefined;
  const bytes = value.subarray(fragmentSealBytes);
  const id = murmur3(bytes);
  return id.high === idHigh && id.low === idLow ? bytes : undefined;
}

/** FNV-1a, then the finaliser of MurmurHash3: any change of a byte changes it, most other changes do. */
function checkOf(key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
