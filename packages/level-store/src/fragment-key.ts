import { blockMs, blockStart, murmur3 } from "@mon/store";
import { getInteger, integerHigh, maxInstantMs, numberKey, putInteger, space, viewOf } from "./key.ts";

const hostIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Bytes after the zero byte that ends the host's id: timestamp, id, check. */
const tailBytes = 8 + 8 + 4;
/** Where the host's id begins, after space and block. */
const hostOffset = 1 + 8;

/**
 * Makes the keys of one host's fragments: `f`, block start, host id, a zero byte, timestamp, fragment id, and a check of
 * all these; numbers big-endian. Holds one buffer in which every key is made, so that a write allocates none.
 *
 * The value is the fragment as it is. It needs no checksum of its own, because the id in the key is its hash: id and
 * check together cover the record, for a fraction of what a CRC-32 over all of it takes.
 */
export class FragmentKeys {
  readonly hostId: string;
  readonly #key: Uint8Array;
  readonly #tail: number;
  readonly #offsetMs: number;
  /** The block that stands in the key, and the hash of the key up to the zero byte. */
  #blockStartMs = Number.NaN;
  #prefixHash = 0;

  /** @throws {RangeError} when `hostId` is none */
  constructor(hostId: string) {
    if (!hostIdPattern.test(hostId)) {
      throw new RangeError(
        `expected a host id of 1 to 128 of A-Z a-z 0-9 . _ -, got ${JSON.stringify(hostId)}`,
      );
    }
    this.hostId = hostId;
    this.#tail = hostOffset + hostId.length + 1;
    this.#key = new Uint8Array(this.#tail + tailBytes);
    this.#key[0] = space.fragment;
    for (let i = 0; i < hostId.length; i++) this.#key[hostOffset + i] = hostId.charCodeAt(i);
    this.#offsetMs = (blockStart(hostId, 0) + blockMs) % blockMs;
  }

  /** The start of the block that holds an instant, as `blockStart` of `@mon/store` gives it, without hashing the id. */
  blockOf(timestampMs: number): number {
    const remainder = (timestampMs - this.#offsetMs) % blockMs;
    return timestampMs - (remainder < 0 ? remainder + blockMs : remainder);
  }

  /**
   * The key of a fragment. The bytes are overwritten by the next call.
   *
   * @throws {RangeError} when the timestamp is no integer that a `Date` can hold
   */
  of(timestampMs: number, idHigh: number, idLow: number): Uint8Array {
    if (!Number.isInteger(timestampMs) || timestampMs > maxInstantMs || timestampMs < -maxInstantMs) {
      throw new RangeError(`expected a timestamp of integer milliseconds, got ${timestampMs}`);
    }
    const key = this.#key;
    const tail = this.#tail;
    // Most fragments of a host fall into the block of the one before.
    if (!(timestampMs >= this.#blockStartMs && timestampMs < this.#blockStartMs + blockMs)) {
      this.#blockStartMs = this.blockOf(timestampMs);
      putInteger(viewOf(key), 1, this.#blockStartMs);
      this.#prefixHash = hashRun(hashStart, key, 0, tail);
    }
    putUint32(key, tail, integerHigh(timestampMs));
    putUint32(key, tail + 4, timestampMs >>> 0);
    putUint32(key, tail + 8, idHigh);
    putUint32(key, tail + 12, idLow);
    putUint32(key, tail + 16, finished(hashRun(this.#prefixHash, key, tail, tail + 16)));
    return key;
  }

  /** The least key of an instant of a block. */
  first(blockStartMs: number, timestampMs: number): Uint8Array {
    const key = this.#key.slice();
    const view = viewOf(key);
    putInteger(view, 1, blockStartMs);
    putInteger(view, this.#tail, timestampMs);
    key.fill(0, this.#tail + 8);
    return key;
  }
}

function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

const hashStart = 0x811c9dc5;

/** FNV-1a, from a hash of what comes before. */
function hashRun(before: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = before;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}

/** The finaliser of MurmurHash3: spreads every bit over all. */
function finished(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** What a fragment's key says. */
export interface FragmentKey {
  readonly blockStartMs: number;
  readonly hostId: string;
  readonly timestampMs: number;
  readonly idHigh: number;
  readonly idLow: number;
}

/** Reads a fragment's key; undefined when the bytes are none, or not what was written. */
export function parseFragmentKey(key: Uint8Array): FragmentKey | undefined {
  const tail = key.length - tailBytes;
  if (tail <= hostOffset + 1 || key[tail - 1] !== 0) return undefined;
  const view = viewOf(key);
  if (view.getUint32(tail + 16) !== finished(hashRun(hashStart, key, 0, tail + 16))) return undefined;
  return {
    blockStartMs: getInteger(view, 1),
    hostId: String.fromCharCode(...key.subarray(hostOffset, tail - 1)),
    timestampMs: getInteger(view, tail),
    idHigh: view.getUint32(tail + 8),
    idLow: view.getUint32(tail + 12),
  };
}

/** Whether a value is the fragment that a key names. */
export function isFragmentOf({ idHigh, idLow }: FragmentKey, value: Uint8Array): boolean {
  const id = murmur3(value);
  return id.high === idHigh && id.low === idLow;
}

/** The start of the block of a fragment's key. */
export function blockOfKey(key: Uint8Array): number {
  return getInteger(viewOf(key), 1);
}

/** The least key of any fragment whose block begins at `blockStartMs` or later. */
export function firstKeyOfBlock(blockStartMs: number): Uint8Array {
  return numberKey(space.fragment, blockStartMs);
}

/** The least key after all fragments of the partition that a key belongs to. */
export function firstKeyAfterPartition(key: Uint8Array): Uint8Array {
  const prefix = key.slice(0, key.length - tailBytes);
  // In place of the zero byte after the host id; no id holds so low a character.
  prefix[prefix.length - 1] = 1;
  return prefix;
}
