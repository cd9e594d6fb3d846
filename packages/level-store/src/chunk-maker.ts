import { Worker } from "node:worker_threads";
import { StoreError } from "@mon/store";
import type { Generation } from "./generation.ts";
import type { PackOutcome, PackRequest } from "./packing.ts";
import type { RecordBatch } from "./settlement.ts";
import type { WorkerAnswer, WorkerRequest } from "./worker-messages.ts";

/** The worker's file beside this one, from source or built. */
const isSource = import.meta.url.endsWith(".ts");
const workerUrl = isSource
  ? new URL("./chunk-worker.ts", import.meta.url)
  : new URL("./chunk-worker.js", import.meta.url);
/** Flags that say how this program began would not let the worker begin; those that say what is imported must hold. */
const execArgv = isSource
  ? ["--conditions=@mon/source"]
  : process.execArgv.filter((flag) => flag.startsWith("--conditions="));

/**
 * Makes chunks in a worker thread, one request after another, for one store or several. The thread is started with the
 * first request; when it dies the request fails, and the next one starts another.
 */
export class ChunkMaker {
  #worker: Worker | undefined;
  #pending: PromiseWithResolvers<WorkerAnswer> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  /**
   * Turns a generation into chunks. Batches come as they are asked for, the next being made while one is written.
   *
   * @throws {StoreError} STORE_UNAVAILABLE when the worker cannot start, or dies
   */
  async *settle(generation: Generation, wallMs: number): AsyncGenerator<RecordBatch> {
    const release = await this.#acquire();
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
      next = this.#ask({ kind: "settle", generation: closed });
      for (;;) {
        const answer: WorkerAnswer = await next;
        next = undefined;
        if (answer.kind === "settled") {
          if (answer.fragments === count) return;
          throw makerFailure(`${answer.fragments} reports instead of ${count}`);
        }
        if (answer.kind !== "batch") throw makerFailure(`an answer of the kind ${answer.kind}`);
        next = this.#ask({ kind: "next" });
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
   * @throws {StoreError} STORE_UNAVAILABLE when the worker cannot start, or dies
   */
  async pack(request: PackRequest): Promise<PackOutcome> {
    const release = await this.#acquire();
    try {
      const answer = await this.#ask({ kind: "pack", request });
      if (answer.kind !== "outcome") throw makerFailure(`an answer of the kind ${answer.kind}`);
      return answer.outcome;
    } finally {
      release();
    }
  }

  async #acquire(): Promise<() => void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    return resolve;
  }

  #ask(request: WorkerRequest): Promise<WorkerAnswer> {
    if (this.#isClosed) return Promise.reject(makerFailure("one that is closed"));
    this.#worker ??= this.#start();
    const pending = Promise.withResolvers<WorkerAnswer>();
    this.#pending = pending;
    // While it owes an answer the process must not end; else the worker must not keep it alive.
    this.#worker.ref();
    this.#worker.postMessage(request);
    return pending.promise;
  }

  #start(): Worker {
    const worker = new Worker(workerUrl, { execArgv });
    worker.on("message", (answer: WorkerAnswer) => {
      worker.unref();
      if (answer.kind === "failed") this.#answer(makerFailure(answer.reason));
      else this.#answer(answer);
    });
    const fail = (reason: string): void => {
      if (worker !== this.#worker) return;
      this.#worker = undefined;
      this.#answer(makerFailure(reason));
    };
    worker.on("error", (error) => fail(error instanceof Error ? error.message : String(error)));
    worker.on("exit", (code) => fail(`it ended with code ${code}`));
    return worker;
  }

  #answer(answer: WorkerAnswer | StoreError): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (answer instanceof StoreError) pending?.reject(answer);
    else pending?.resolve(answer);
  }

  /** Waits for what is under way and ends the thread. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turn;
    const worker = this.#worker;
    this.#worker = undefined;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    worker.ref();
    worker.postMessage({ kind: "end" } satisfies WorkerRequest);
    await ended;
  }
}

function makerFailure(reason: string): StoreError {
  return new StoreError("STORE_UNAVAILABLE", `expected the worker thread to make chunks, got: ${reason}`);
}
