import { isHostId } from "./characters.ts";

/** A host that reports, and what is remembered of it. */
export interface KnownHost {
  readonly hostId: string;
  readonly bytes: Uint8Array;
  /** Where its last run of samples is remembered; a guess, see {@link KnownRuns.at}. */
  slot: number;
}

/**
 * Hosts by the bytes of their ids. The same id comes with every report, so that it is checked and made a string once,
 * and found again by comparing bytes.
 */
export class KnownHosts {
  readonly #capacity: number;
  readonly #byHash = new Map<number, KnownHost>();

  /** @param capacity - hosts kept; all are forgotten when one more comes */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The host whose id stands in `bytes[start, end)`, or undefined when that is no host id. O(end − start). */
  find(bytes: Uint8Array, start: number, end: number): KnownHost | undefined {
    // FNV-1a.
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    const known = this.#byHash.get(hash);
    if (known !== undefined && isRun(known.bytes, bytes, start, end)) return known;
    if (!isHostId(bytes, start, end)) return undefined;
    // A host whose hash is another's takes its place: they cost each other what an unknown host costs.
    const host = { hostId: ascii(bytes, start, end), bytes: bytes.slice(start, end), slot: 0 };
    if (this.#byHash.size >= this.#capacity) this.#byHash.clear();
    this.#byHash.set(hash, host);
    return host;
  }
}

function isRun(run: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (run.length !== end - start) return false;
  for (let i = 0; i < run.length; i++) if (run[i] !== bytes[start + i]) return false;
  return true;
}

/** Text of bytes that are known to be ASCII. */
function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
