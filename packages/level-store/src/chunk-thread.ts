import type { Worker } from "node:worker_threads";
import { StoreError } from "@mon/store";
import type { WorkerAnswer, WorkerRequest } from "./worker-messages.ts";
import { startWorker, type WorkerStart } from "./worker-thread.ts";

/**
 * A thread that makes chunks, for one caller at a time. It is started with the first request; when it dies the request
 * fails, and the next one starts another.
 */
export class ChunkThread {
  readonly #start: WorkerStart;
  #worker: Worker | undefined;
  #pending: PromiseWithResolvers<WorkerAnswer> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(start: WorkerStart) {
    this.#start = start;
  }

  /** Waits for its turn. @returns what ends it */
  async acquire(): Promise<() => void> {
    const before = this.#turn;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#turn = promise;
    await before;
    return resolve;
  }

  /**
   * One request at a time, in the caller's turn.
   *
   * @param transferred - memory of the request that goes with it
   * @throws {StoreError} STORE_UNAVAILABLE when the thread cannot start, or dies
   */
  ask(request: WorkerRequest, transferred: ArrayBuffer[] = []): Promise<WorkerAnswer> {
    if (this.#isClosed) return Promise.reject(makerFailure("one that is closed"));
    this.#worker ??= this.#begin();
    const pending = Promise.withResolvers<WorkerAnswer>();
    this.#pending = pending;
    // While it owes an answer the process must not end; else the worker must not keep it alive.
    this.#worker.ref();
    this.#worker.postMessage(request, transferred);
    return pending.promise;
  }

  #begin(): Worker {
    const worker = startWorker("chunk-worker", this.#start);
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

/** Why chunks could not be made. */
export function makerFailure(reason: string): StoreError {
  return new StoreError("STORE_UNAVAILABLE", `expected the worker thread to make chunks, got: ${reason}`);
}
