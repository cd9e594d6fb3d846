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
export function widen(range: InstantRange, other: InstantRange): void {
  if (other.minMs < range.minMs) range.minMs = other.minMs;
  if (other.maxMs > range.maxMs) range.maxMs = other.maxMs;
}

/** The instants that a batch wrote for one host. */
export interface HostRange extends InstantRange {
  readonly hostId: string;
}

/** What a sequence record says of its batch. */
export interface Manifest {
  /** When the batch was made, by the writer's clock. */
  readonly wallMs: number;
  /** The least sequence whose record is kept. */
  readonly baseline: number;
  /** Instants of this batch and of at least the {@link recentBatches} before it. */
  readonly recent: Readonly<InstantRange>;
  readonly fragments: number;
  readonly hosts: readonly Readonly<HostRange>[];
}

const headBytes = 40;

/** Encodes a manifest; host ids are ASCII of at most 255 bytes. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  let size = headBytes;
  for (const { hostId } of manifest.hosts) size += 17 + hostId.length;
  const bytes = new Uint8Array(size);
  const view = viewOf(bytes);
  putInteger(view, 0, manifest.wallMs);
  putInteger(view, 8, manifest.baseline);
  putInteger(view, 16, manifest.recent.minMs);
  putInteger(view, 24, manifest.recent.maxMs);
  view.setUint32(32, manifest.fragments);
  view.setUint32(36, manifest.hosts.length);
  let position = headBytes;
  for (const { hostId, minMs, maxMs } of manifest.hosts) {
    bytes[position++] = hostId.length;
    for (let i = 0; i < hostId.length; i++) bytes[position++] = hostId.charCodeAt(i);
    putInteger(view, position, minMs);
    putInteger(view, position + 8, maxMs);
    position += 16;
  }
  return bytes;
}

/** Decodes what {@link encodeManifest} made. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const view = viewOf(bytes);
  const hosts: HostRange[] = [];
  let position = headBytes;
  for (let left = view.getUint32(36); left > 0; left--) {
    const idEnd = position + 1 + bytes[position]!;
    hosts.push({
      hostId: String.fromCharCode(...bytes.subarray(position + 1, idEnd)),
      minMs: getInteger(view, idEnd),
      maxMs: getInteger(view, idEnd + 8),
    });
    position = idEnd + 16;
  }
  return {
    wallMs: getInteger(view, 0),
    baseline: getInteger(view, 8),
    recent: { minMs: getInteger(view, 16), maxMs: getInteger(view, 24) },
    fragments: view.getUint32(32),
    hosts,
  };
}

/** How many batches before it a manifest's `recent` covers at least. */
export const recentBatches = 512;

/**
 * The instants written by the last batches. Each manifest repeats them, so that when a batch is lost the next one
 * still tells which stretch of time it may have held.
 */
export class RecentInstants {
  #batches = 0;
  #previous = noInstants();
  #current = noInstants();

  /** Adds a batch and gives the range of it and of those before. */
  add(batch: InstantRange): InstantRange {
    if (this.#batches++ === recentBatches) {
      this.#batches = 1;
      this.#previous = this.#current;
      this.#current = noInstants();
    }
    widen(this.#current, batch);
    const range = { ...this.#previous };
    widen(range, this.#current);
    return range;
  }
}
