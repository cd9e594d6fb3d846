import { ascii } from "./scan.ts";

/** A text and its bytes. */
interface Entry {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/**
 * Strings of short ASCII runs, made once for each distinct run: the same host id comes with every report, and a string
 * that is kept costs a comparison where a new one costs an allocation and its hash.
 */
export class InternedTexts {
  readonly #capacity: number;
  readonly #entries = new Map<number, Entry>();

  /** @param capacity - texts kept; all are dropped when one more comes */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The text of `bytes[start, end)`, which must be ASCII. */
  get(bytes: Uint8Array, start: number, end: number): string {
    // FNV-1a.
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
    const known = this.#entries.get(hash);
    if (known !== undefined && isRun(known.bytes, bytes, start, end)) return known.text;
    const text = ascii(bytes, start, end);
    if (this.#entries.size >= this.#capacity) this.#entries.clear();
    this.#entries.set(hash, { bytes: bytes.slice(start, end), text });
    return text;
  }
}

function isRun(run: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (run.length !== end - start) return false;
  for (let i = 0; i < run.length; i++) if (run[i] !== bytes[start + i]) return false;
  return true;
}
