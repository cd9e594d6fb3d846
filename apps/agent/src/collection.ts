import type { SampleInput } from "@mon/client";
import type { Collector, CollectorName } from "./collector.ts";

/** What is told of collectors. */
export interface CollectionEvents {
  /** A collector failed that had worked, or failed in another way; not told again for the same error. */
  readonly onFailed: (name: CollectorName, error: Error) => void;
  /** A collector works that had failed. */
  readonly onRecovered: (name: CollectorName) => void;
}

/** How long a round waits for a collector that is not done. */
const collectorTimeoutMs = 3_000;

/**
 * Runs collectors side by side. One that throws or hangs costs only its own samples, and a hanging one is not started a
 * second time.
 */
export class Collection {
  readonly #collectors: readonly Collector[];
  readonly #events: CollectionEvents;
  readonly #failures = new Map<CollectorName, string>();
  readonly #busy = new Set<CollectorName>();

  constructor(collectors: readonly Collector[], events: CollectionEvents) {
    this.#collectors = collectors;
    this.#events = events;
  }

  /** One round: the samples of every collector that could read. Never rejects. */
  async collect(): Promise<SampleInput[]> {
    const parts = await Promise.all(this.#collectors.map((collector) => this.#read(collector)));
    return parts.flat();
  }

  async #read(collector: Collector): Promise<readonly SampleInput[]> {
    if (this.#busy.has(collector.name)) return [];
    try {
      const reading = collector.collect();
      const samples = reading instanceof Promise ? await this.#inTime(collector.name, reading) : reading;
      if (this.#failures.delete(collector.name)) this.#events.onRecovered(collector.name);
      return samples;
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      if (this.#failures.get(collector.name) !== failure.message)
        this.#events.onFailed(collector.name, failure);
      this.#failures.set(collector.name, failure.message);
      return [];
    }
  }

  async #inTime(
    name: CollectorName,
    reading: Promise<readonly SampleInput[]>,
  ): Promise<readonly SampleInput[]> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`expected a reading within ${collectorTimeoutMs} ms`)),
      collectorTimeoutMs,
    );
    this.#busy.add(name);
    const done = reading.finally(() => this.#busy.delete(name));
    try {
      return await Promise.race([done, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
