import type { Worker } from "node:worker_threads";
import { type Series, StoreError, seriesKey } from "@mon/store";
import type { Stretch } from "./block-reader.ts";
import type { DecodeAnswer, DecodeRequest, StoredBlock } from "./decode-messages.ts";
import { memoryOf } from "./joined-records.ts";
import { unpackColumns } from "./packed-columns.ts";
import { startWorker } from "./worker-thread.ts";

/** A stretch, and what could not be read, found out since the one before. */
export interface ReadStretch extends Omit<Stretch, "startMs"> {
  readonly damage: readonly string[];
}

/** How blocks are decoded. */
export interface BlockDecoderOptions {
  /** Threads at most, from 1 to 64, default 1. More decode more reads at once, on processors that the others leave. */
  readonly threads?: number;
  /**
   * A block of at most so many bytes of chunks is decoded by the thread that reads: default 8,192, about a millisecond.
   * Eight bytes of reports in memory count as one. At 0 even a read of a few samples waits for another thread; high
   * values hold up the thread that reads.
   */
  readonly inlineBytesMax?: number;
}

/**
 * Decodes blocks in worker threads, for one store or several. A thread is started with the first read that needs one, and
 * another when all have reads under way, up to so many. When one dies its reads fail, and the next read starts another.
 */
export class BlockDecoder {
  readonly inlineBytesMax: number;
  readonly #threadsMax: number;
  #threads: DecodeThread[] = [];
  #isClosed = false;

  /** @throws {RangeError} when an option is out of range */
  constructor({ threads = 1, inlineBytesMax = 8_192 }: BlockDecoderOptions = {}) {
    if (!Number.isInteger(threads) || threads < 1 || threads > 64) {
      throw new RangeError(`expected threads to be an integer from 1 to 64, got ${threads}`);
    }
    if (!Number.isInteger(inlineBytesMax) || inlineBytesMax < 0) {
      throw new RangeError(`expected inlineBytesMax to be an integer of at least 0, got ${inlineBytesMax}`);
    }
    this.#threadsMax = threads;
    this.inlineBytesMax = inlineBytesMax;
  }

  /** Begins a read; to be closed. @throws {StoreError} STORE_UNAVAILABLE when the decoder is closed */
  begin(wants: (series: Series) => boolean, signal?: AbortSignal): DecodedRead {
    if (this.#isClosed) throw decoderFailure("one that is closed");
    this.#threads = this.#threads.filter(({ failure }) => failure === undefined);
    let thread = this.#threads.toSorted((a, b) => a.reads - b.reads)[0];
    if (thread === undefined || (thread.reads > 0 && this.#threads.length < this.#threadsMax)) {
      thread = new DecodeThread();
      this.#threads.push(thread);
    }
    return new DecodedRead(thread, wants, signal);
  }

  /** Ends the threads; reads under way fail. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#threads.splice(0).map((thread) => thread.end()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The blocks of one read, decoded in one thread. Whoever reads bounds how many are under way. */
export class DecodedRead {
  readonly #thread: DecodeThread;
  readonly #read: number;
  readonly #wants: (series: Series) => boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #numbers = new Map<string, number>();
  /** Those that are wanted, by number; in each the kinds that they have been met with. */
  readonly #series: Map<Series["kind"], Series>[] = [];

  /** Use {@link BlockDecoder.begin}. */
  constructor(thread: DecodeThread, wants: (series: Series) => boolean, signal: AbortSignal | undefined) {
    this.#thread = thread;
    this.#wants = wants;
    this.#signal = signal;
    this.#read = thread.beginRead();
  }

  /**
   * Sends a block at once, and gives its stretches as they are asked for.
   *
   * @param block - its memory goes with it, but for what threads share
   * @throws {StoreError} STORE_UNAVAILABLE, while it is consumed, when the thread cannot start, or dies
   */
  decode(block: StoredBlock): AsyncGenerator<ReadStretch, void, void> {
    const request = this.#thread.newRequest();
    const transfer = [
      ...memoryOf(block.records),
      block.head.timestampsMs.buffer as ArrayBuffer,
      block.head.places.buffer as ArrayBuffer,
    ];
    const first = this.#ask({ kind: "block", request, read: this.#read, block }, transfer);
    // Whoever consumes it hears of it.
    first.catch(() => {});
    return this.#stretches(request, first);
  }

  async *#stretches(request: number, first: Promise<DecodeAnswer>): AsyncGenerator<ReadStretch, void, void> {
    let answer = await first;
    for (;;) {
      if (answer.kind === "failed") throw decoderFailure(answer.reason);
      if (answer.kind === "unknown") {
        const numbers = Int32Array.from(answer.series, (series) => this.#numberOf(series));
        answer = await this.#ask({ kind: "numbers", request, numbers });
        continue;
      }
      const { endMs, conflicts, damage, isLast, columns, columnCount } = answer.stretch;
      const unpacked = unpackColumns(columns, columnCount, (number, kind) => this.#seriesOf(number, kind));
      yield { endMs, conflicts, damage, columns: unpacked };
      if (isLast) return;
      answer = await this.#ask({ kind: "next", request });
    }
  }

  #ask(request: DecodeRequest & { request: number }, transfer: ArrayBuffer[] = []): Promise<DecodeAnswer> {
    return this.#thread.ask(request, transfer, this.#signal);
  }

  #numberOf(series: Series): number {
    const key = seriesKey(series);
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#wants(series) ? this.#series.push(new Map([[series.kind, series]])) - 1 : -1;
      this.#numbers.set(key, number);
    }
    return number;
  }

  #seriesOf(number: number, kind: Series["kind"]): Series {
    const kinds = this.#series[number]!;
    let series = kinds.get(kind);
    if (series === undefined) {
      const [any] = kinds.values();
      series = { ...any!, kind };
      kinds.set(kind, series);
    }
    return series;
  }

  /** Lets the thread forget it. Idempotent. */
  close(): void {
    this.#thread.endRead(this.#read);
  }
}

/** One thread, and what it owes. */
class DecodeThread {
  /** Why it is gone; undefined while it is there. */
  failure: StoreError | undefined;
  readonly #worker: Worker = startWorker("decode-worker", { isBackground: true });
  readonly #owed = new Map<number, (answer: DecodeAnswer | StoreError) => void>();
  readonly #reads = new Set<number>();
  #lastNumber = 0;

  constructor() {
    const worker = this.#worker;
    worker.unref();
    worker.on("message", (answer: DecodeAnswer) => this.#settle(answer.request, answer));
    worker.on("error", (error) => this.#fail(error instanceof Error ? error.message : String(error)));
    worker.on("exit", (code) => this.#fail(`it ended with code ${code}`));
  }

  /** Reads that have begun and not ended. */
  get reads(): number {
    return this.#reads.size;
  }

  beginRead(): number {
    const read = ++this.#lastNumber;
    this.#reads.add(read);
    return read;
  }

  endRead(read: number): void {
    if (!this.#reads.delete(read) || this.failure !== undefined) return;
    this.#worker.postMessage({ kind: "forget", read } satisfies DecodeRequest);
  }

  newRequest(): number {
    return ++this.#lastNumber;
  }

  /** @throws the signal's reason, or a {@link StoreError} */
  ask(
    message: DecodeRequest & { request: number },
    transfer: ArrayBuffer[],
    signal: AbortSignal | undefined,
  ): Promise<DecodeAnswer> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { promise, resolve, reject } = Promise.withResolvers<DecodeAnswer>();
    const abandon = (): void => {
      this.#forgive(message.request);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abandon);
    // While it owes an answer the process must not end; else the worker must not keep it alive.
    if (this.#owed.size === 0) this.#worker.ref();
    this.#owed.set(message.request, (answer) => {
      signal?.removeEventListener("abort", abandon);
      if (answer instanceof StoreError) reject(answer);
      else resolve(answer);
    });
    this.#worker.postMessage(message, transfer);
    return promise;
  }

  #settle(request: number, answer: DecodeAnswer | StoreError): void {
    const settle = this.#owed.get(request);
    this.#forgive(request);
    settle?.(answer);
  }

  #forgive(request: number): void {
    if (this.#owed.delete(request) && this.#owed.size === 0) this.#worker.unref();
  }

  #fail(reason: string): void {
    this.failure ??= decoderFailure(reason);
    for (const request of [...this.#owed.keys()]) this.#settle(request, this.failure);
  }

  async end(): Promise<void> {
    this.#fail("one that is closed");
    await this.#worker.terminate();
  }
}

function decoderFailure(reason: string): StoreError {
  return new StoreError(
    "STORE_UNAVAILABLE",
    `expected a worker thread to decode what is stored, got: ${reason}`,
  );
}
