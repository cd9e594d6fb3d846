import { ChunkThread, makerFailure } from "./chunk-thread.ts";
import type { Generation } from "./generation.ts";
import { memoryOf } from "./joined-records.ts";
import type { PackOutcome, PackRequest } from "./packing.ts";
import type { RecordBatch } from "./settlement.ts";
import type { WorkerAnswer } from "./worker-messages.ts";

/**
 * Makes chunks in worker threads, for one store or several: one turns generations into chunks, one request after another,
 * because writers may wait for it; the other packs, in the background. Each is started with its first request; when it
 * dies the request fails, and the next one starts another.
 */
export class ChunkMaker {
  readonly #settling = new ChunkThread({ isBackground: false });
  readonly #packing = new ChunkThread({ isBackground: true });

  /**
   * Turns a generation into chunks. Batches come as they are asked for, the next being made while one is written.
   *
   * @throws {StoreError} STORE_UNAVAILABLE when the worker cannot start, or dies
   */
  async *settle(generation: Generation, wallMs: number): AsyncGenerator<RecordBatch> {
    const release = await this.#settling.acquire();
    let next: Promise<WorkerAnswer> | undefined;
    try {
      const { count, hosts } = generation;
      const closed = {
        slabs: generation.slabs.map(({ bytes }) => bytes),
        timestampsMs: generation.timestampsMs.slice(0, count),
        places: generation.places.slice(0, 3 * count),
        previous: generation.previous.slice(0, count),
        layouts: generation.layouts.slice(0, count),
        hostIds: [...hosts.keys()].join("\n"),
        lasts: Int32Array.from(hosts.values(), ({ last }) => last),
        wallMs,
      };
      const { timestampsMs, places, previous, layouts, lasts } = closed;
      const memory = [timestampsMs, places, previous, layouts, lasts].map(({ buffer }) => buffer);
      next = this.#settling.ask({ kind: "settle", generation: closed }, memory);
      for (;;) {
        const answer: WorkerAnswer = await next;
        next = undefined;
        if (answer.kind === "settled") {
          if (answer.fragments === count) return;
          throw makerFailure(`${answer.fragments} reports instead of ${count}`);
        }
        if (answer.kind !== "batch") throw makerFailure(`an answer of the kind ${answer.kind}`);
        next = this.#settling.ask({ kind: "next" });
        // Whoever stops early does not hear of it.
        next.catch(() => {});
        yield answer.batch;
      }
    } finally {
      // What the worker has yet to say of this generation must not be taken for an answer to the next request.
      await next?.catch(() => {});
      release();
    }
  }

  /**
   * Folds the chunks of a partition into one.
   *
   * @param request - the memory of its records goes with it
   * @throws {StoreError} STORE_UNAVAILABLE when the worker cannot start, or dies
   */
  async pack(request: PackRequest): Promise<PackOutcome> {
    const release = await this.#packing.acquire();
    try {
      const answer = await this.#packing.ask({ kind: "pack", request }, memoryOf(request.records));
      if (answer.kind !== "outcome") throw makerFailure(`an answer of the kind ${answer.kind}`);
      return answer.outcome;
    } finally {
      release();
    }
  }

  /** Waits for what is under way and ends the threads. Idempotent. */
  async close(): Promise<void> {
    await Promise.all([this.#settling.close(), this.#packing.close()]);
  }
}
