import { blockMs, type Layout, type Series } from "@mon/store";
import type { Generation, GenerationHost } from "./generation.ts";
import { assertHostId, HostBlocks } from "./host-blocks.ts";

/** A host as the writer knows it: its blocks, and where it stands in the generation that it was written to last. */
export class WriterHost {
  readonly hostId: string;
  /** Series that are in the journal but not in a record of their own. */
  unrecorded: Series[] = [];
  inGeneration: GenerationHost | undefined;
  #generation: Generation | undefined;
  readonly #blocks: HostBlocks;
  #blockStartMs = Number.NaN;
  /** The last layout and its number in the generation. */
  #layout: Layout | undefined;
  #layoutNumber = 0;

  /** @throws {RangeError} when `hostId` is none */
  constructor(hostId: string) {
    assertHostId(hostId);
    this.hostId = hostId;
    this.#blocks = new HostBlocks(hostId);
  }

  /** Adds an entry whose fragment stands in the generation's last slab. */
  push(
    generation: Generation,
    timestampMs: number,
    offset: number,
    length: number,
    layout: Layout | undefined,
  ): void {
    if (this.#generation !== generation) {
      this.#generation = generation;
      this.#layout = undefined;
      this.inGeneration = generation.host(this.hostId);
    }
    // Most fragments of a host fall into the block of the one before.
    if (!(timestampMs >= this.#blockStartMs && timestampMs < this.#blockStartMs + blockMs)) {
      this.#blockStartMs = this.#blocks.startOf(timestampMs);
    }
    if (layout !== this.#layout) {
      this.#layout = layout;
      this.#layoutNumber = layout === undefined ? 0 : generation.layoutNumber(layout);
    }
    const number = layout === undefined ? 0 : this.#layoutNumber;
    generation.push(this.inGeneration!, timestampMs, offset, length, number, this.#blockStartMs + blockMs);
  }
}

/** The host of an id, made when it is new. @throws {RangeError} when the id is none */
export function hostOf(hosts: Map<string, WriterHost>, hostId: string): WriterHost {
  let host = hosts.get(hostId);
  if (host === undefined) {
    host = new WriterHost(hostId);
    hosts.set(hostId, host);
  }
  return host;
}
