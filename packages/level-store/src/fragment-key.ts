import { blockMs, blockStart } from "@mon/store";
import { getInteger, maxInstantMs, numberKey, putInteger, space, viewOf } from "./key.ts";

const hostIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Bytes of a fragment's key besides the host's id: space, block, a zero byte, timestamp, id. */
const fixedBytes = 1 + 8 + 1 + 8 + 8;
const hostOffset = 9;

/**
 * Makes the keys of one host's fragments: `f`, block start, host id, a zero byte, timestamp, fragment id; numbers
 * big-endian. Holds one buffer in which every key is made, so that a write allocates none.
 */
export class FragmentKeys {
  readonly hostId: string;
  readonly #key: Uint8Array;
  readonly #view: DataView;
  readonly #tail: number;
  readonly #offsetMs: number;

  /** @throws {RangeError} when `hostId` is none */
  constructor(hostId: string) {
    if (!hostIdPattern.test(hostId)) {
      throw new RangeError(
        `expected a host id of 1 to 128 of A-Z a-z 0-9 . _ -, got ${JSON.stringify(hostId)}`,
      );
    }
    this.hostId = hostId;
    this.#key = new Uint8Array(fixedBytes + hostId.length);
    this.#key[0] = space.fragment;
    for (let i = 0; i < hostId.length; i++) this.#key[hostOffset + i] = hostId.charCodeAt(i);
    this.#view = viewOf(this.#key);
    this.#tail = hostOffset + hostId.length + 1;
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
    putInteger(this.#view, 1, this.blockOf(timestampMs));
    putInteger(this.#view, this.#tail, timestampMs);
    this.#view.setUint32(this.#tail + 8, idHigh);
    this.#view.setUint32(this.#tail + 12, idLow);
    return this.#key;
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

/** What a fragment's key says. */
export interface FragmentKey {
  readonly blockStartMs: number;
  readonly hostId: string;
  readonly timestampMs: number;
  readonly idHigh: number;
  readonly idLow: number;
}

/** Reads a fragment's key; undefined when the bytes are none. */
export function parseFragmentKey(key: Uint8Array): FragmentKey | undefined {
  const tail = key.length - 16;
  if (tail <= hostOffset + 1 || key[tail - 1] !== 0) return undefined;
  const view = viewOf(key);
  return {
    blockStartMs: getInteger(view, 1),
    hostId: String.fromCharCode(...key.subarray(hostOffset, tail - 1)),
    timestampMs: getInteger(view, tail),
    idHigh: view.getUint32(tail + 8),
    idLow: view.getUint32(tail + 12),
  };
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
  const prefix = key.slice(0, key.length - 16);
  // In place of the zero byte after the host id; no id holds so low a character.
  prefix[prefix.length - 1] = 1;
  return prefix;
}
