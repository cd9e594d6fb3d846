import type { MetricStore } from "@mon/store";

/** What a broker is doing. */
export type State = "starting" | "serving" | "degraded" | "draining";

/** What a broker is doing, and why it is not all well. */
export interface Health {
  readonly state: State;
  /** For people; empty when all is well. */
  readonly problems: readonly string[];
  /** Whether reports are taken: what `/readyz` and gRPC health say. */
  readonly isReady: boolean;
}

/**
 * Where a broker is in its life: starting → serving → draining. While serving it is degraded when its store is, or its
 * part in the cluster; a store that cannot take reports makes it not ready.
 */
export class Lifecycle {
  readonly #store: Pick<MetricStore, "stats">;
  readonly #otherProblems: () => readonly string[];
  readonly #draining = new AbortController();
  #phase: "starting" | "serving" | "draining" = "starting";

  /** @param otherProblems - what is not well besides the store, and keeps nobody from reporting */
  constructor(store: Pick<MetricStore, "stats">, otherProblems: () => readonly string[] = () => []) {
    this.#store = store;
    this.#otherProblems = otherProblems;
  }

  /** Aborted when the broker begins to stop. */
  get draining(): AbortSignal {
    return this.#draining.signal;
  }

  serve(): void {
    this.#phase = "serving";
  }

  drain(): void {
    this.#phase = "draining";
    this.#draining.abort();
  }

  async health(): Promise<Health> {
    if (this.#phase === "starting")
      return { state: "starting", problems: ["opening the store, or joining the cluster"], isReady: false };
    if (this.#phase === "draining") return { state: "draining", problems: ["stopping"], isReady: false };
    const { damage, unavailable } = await this.#store.stats();
    const problems = [
      ...(unavailable === undefined ? [] : [unavailable]),
      ...damage,
      ...this.#otherProblems(),
    ];
    return {
      state: problems.length === 0 ? "serving" : "degraded",
      problems,
      isReady: unavailable === undefined,
    };
  }
}
