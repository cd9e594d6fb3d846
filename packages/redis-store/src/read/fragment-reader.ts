import type { Fragment, TimeRange } from "@mon/store";
import { readFragmentField } from "../keys/fragment-field.ts";
import { slotOf } from "../servers/slot.ts";
import type { Reply } from "../wire/reply.ts";
import { ask, bytesOf, type Question, textOf } from "./ask.ts";
import type { HostReadDeps } from "./host-read-deps.ts";

/** Where a fragment is, and when. */
export interface FragmentPlace extends Pick<Fragment, "timestampMs" | "idHigh" | "idLow"> {
  readonly bucketStartMs: number;
  readonly field: Uint8Array;
}

/** Reads the index and the fragments of one host. */
export class FragmentReader {
  readonly #deps: HostReadDeps;
  readonly #hostId: string;
  readonly #slot: number;
  readonly #signal: AbortSignal | undefined;

  constructor(deps: HostReadDeps, hostId: string, signal?: AbortSignal) {
    this.#deps = deps;
    this.#hostId = hostId;
    this.#slot = slotOf(hostId);
    this.#signal = signal;
  }

  /** The starts of the buckets that the index has from one start to another, both included, rising. */
  async buckets(fromMs: number, toMs: number): Promise<number[]> {
    const [reply] = await this.#ask([
      {
        slot: this.#slot,
        encode: (commands) =>
          commands
            .begin(4)
            .text("ZRANGEBYSCORE")
            .text(this.#deps.keys.index(this.#hostId))
            .integer(fromMs)
            .integer(toMs),
      },
    ]);
    return bytesOf(reply![0]).map((member) => Number(textOf(member)));
  }

  /** Which fragments some buckets have of a range, by instant and id. */
  async list(buckets: readonly number[], { startMs, endMs }: TimeRange): Promise<FragmentPlace[]> {
    const { keys } = this.#deps;
    const replies = await this.#ask(
      buckets.map((start) => ({
        slot: this.#slot,
        encode: (commands) => commands.begin(2).text("HKEYS").text(keys.metrics(this.#hostId, start)),
      })),
    );
    const places: FragmentPlace[] = [];
    for (const [i, [reply]] of replies.entries()) {
      for (const field of bytesOf(reply)) {
        const name = readFragmentField(field);
        if (name === undefined || name.timestampMs < startMs || name.timestampMs > endMs) continue;
        places.push({ ...name, field, bucketStartMs: buckets[i]! });
      }
    }
    return places.sort((a, b) => a.timestampMs - b.timestampMs || a.idHigh - b.idHigh || a.idLow - b.idLow);
  }

  /** The bytes of fragments, in order; null for those that are gone by now. */
  async fetch(places: readonly FragmentPlace[]): Promise<(Uint8Array | null)[]> {
    const byBucket = new Map<number, number[]>();
    for (const [index, { bucketStartMs }] of places.entries()) {
      const known = byBucket.get(bucketStartMs);
      if (known === undefined) byBucket.set(bucketStartMs, [index]);
      else known.push(index);
    }
    const groups = [...byBucket];
    const { keys } = this.#deps;
    const replies = await this.#ask(
      groups.map(([start, indices]) => ({
        slot: this.#slot,
        encode: (commands) => {
          commands
            .begin(2 + indices.length)
            .text("HMGET")
            .text(keys.metrics(this.#hostId, start));
          for (const index of indices) commands.bytes(places[index]!.field);
        },
      })),
    );
    const bodies: (Uint8Array | null)[] = new Array(places.length).fill(null);
    for (const [i, [, indices]] of groups.entries()) {
      const [values] = replies[i]!;
      if (!Array.isArray(values)) continue;
      for (const [j, index] of indices.entries()) {
        const value = values[j];
        if (value instanceof Uint8Array) bodies[index] = value;
      }
    }
    return bodies;
  }

  async #ask(questions: readonly Question[]): Promise<readonly (readonly Reply[])[]> {
    if (questions.length === 0) return [];
    return ask(this.#deps.servers, questions, { signal: this.#signal });
  }
}
