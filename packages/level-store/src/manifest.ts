import { getInteger, maxInstantMs, putInteger, viewOf } from "./key.ts";

/** A range of instants; empty when `minMs` is after `maxMs`. */
export interface InstantRange {
  minMs: number;
  maxMs: number;
}

/** The range that holds nothing. */
export function noInstants(): InstantRange {
  return { minMs: maxInstantMs, maxMs: -maxInstantMs };
}

/** Widens a range so that it holds another. */
export function widen(range: InstantRange, other: Readonly<InstantRange>): void {
  if (other.minMs < range.minMs) range.minMs = other.minMs;
  if (other.maxMs > range.maxMs) range.maxMs = other.maxMs;
}

/** What a sequence record says of its batch. */
export interface Manifest {
  /** When the batch was made, by the writer's clock. */
  readonly wallMs: number;
  /** The least sequence whose record is kept. */
  readonly baseline: number;
  /** Instants of this batch. */
  readonly own: Readonly<InstantRange>;
  /** Instants of this batch and of at least the {@link recentCommits} before it. */
  readonly recent: Readonly<InstantRange>;
}

const manifestBytes = 48;

export function encodeManifest(manifest: Manifest): Uint8Array {
  const bytes = new Uint8Array(manifestBytes);
  const view = viewOf(bytes);
  putInteger(view, 0, manifest.wallMs);
  putInteger(view, 8, manifest.baseline);
  putInteger(view, 16, manifest.recent.minMs);
  putInteger(view, 24, manifest.recent.maxMs);
  putInteger(view, 32, manifest.own.minMs);
  putInteger(view, 40, manifest.own.maxMs);
  return bytes;
}

/** Decodes what {@link encodeManifest} made, now or in format 1. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const view = viewOf(bytes);
  const recent = { minMs: getInteger(view, 16), maxMs: getInteger(view, 24) };
  // Format 1 had hosts there, in 40 bytes or in 58 and more.
  const isOfFormat1 = bytes.length !== manifestBytes;
  return {
    wallMs: getInteger(view, 0),
    baseline: getInteger(view, 8),
    own: isOfFormat1 ? recent : { minMs: getInteger(view, 32), maxMs: getInteger(view, 40) },
    recent,
  };
}

/** How many commits before it a commit's `recent` covers at least. */
export const recentCommits = 512;

/**
 * The instants written by the last commits. Each commit repeats them, so that when one is lost the next still tells
 * which stretch of time it may have held.
 */
export class RecentInstants {
  #commits = 0;
  #previous = noInstants();
  #current = noInstants();

  /** Adds a commit and gives the range of it and of those before. */
  add(instants: Readonly<InstantRange>): InstantRange {
    if (this.#commits++ === recentCommits) {
      this.#commits = 1;
      this.#previous = this.#current;
      this.#current = noInstants();
    }
    widen(this.#current, instants);
    const range = { ...this.#previous };
    widen(range, this.#current);
    return range;
  }
}
