import type { RegistryTransition } from "./host-registry.ts";

/** What a watcher is told. */
export type FeedItem =
  | { readonly is: "transition"; readonly transition: RegistryTransition }
  /** So many transitions came before the next item that it was too slow for: read the list again. */
  | { readonly is: "missed"; readonly count: number };

/** What a watcher wants. */
export interface WatchOptions {
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal;
  /** Transitions that wait for it, 1,024; the oldest give way, and are counted. */
  readonly bufferMax?: number;
  /** Which transitions it wants; all, without. */
  readonly filter?: (transition: RegistryTransition) => boolean;
}

/** What a feed has to do. */
export interface FeedStats {
  readonly watchers: number;
  readonly published: number;
  readonly missed: number;
}

interface Watcher {
  readonly buffer: RegistryTransition[];
  readonly bufferMax: number;
  readonly filter: (transition: RegistryTransition) => boolean;
  missed: number;
  wake: (() => void) | undefined;
  isOver: boolean;
  end: () => void;
}

/** Transitions as they happen, for whoever watches. Nobody holds up anybody: each watcher has a bounded buffer of its own. */
export class TransitionFeed {
  readonly #watchers = new Set<Watcher>();
  readonly #watchersMax: number;
  #published = 0;
  #missed = 0;

  /** @param watchersMax - watchers at most, 1,000; one more is a RangeError */
  constructor(watchersMax = 1_000) {
    this.#watchersMax = watchersMax;
  }

  /** Tells all watchers. Never waits. */
  publish(transitions: readonly RegistryTransition[]): void {
    this.#published += transitions.length;
    for (const watcher of this.#watchers) {
      for (const transition of transitions) if (watcher.filter(transition)) watcher.buffer.push(transition);
      const over = watcher.buffer.length - watcher.bufferMax;
      if (over > 0) {
        watcher.buffer.splice(0, over);
        watcher.missed += over;
        this.#missed += over;
      }
      if (watcher.buffer.length > 0) watcher.wake?.();
    }
  }

  /**
   * Watches from now on: what is published between this call and the first `next` is not lost. In the order in which things
   * were published; ends with its signal, with the feed, or when the iteration is left. One `next` at a time.
   */
  watch({
    signal,
    bufferMax = 1_024,
    filter = () => true,
  }: WatchOptions = {}): AsyncIterableIterator<FeedItem> {
    if (this.#watchers.size >= this.#watchersMax)
      throw new RangeError(`expected at most ${this.#watchersMax} watchers, got one more`);
    const watcher: Watcher = {
      buffer: [],
      bufferMax,
      filter,
      missed: 0,
      wake: undefined,
      isOver: false,
      end,
    };
    const watchers = this.#watchers;
    function end(): void {
      watcher.isOver = true;
      watchers.delete(watcher);
      signal?.removeEventListener("abort", end);
      watcher.wake?.();
    }
    watchers.add(watcher);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end);
    return {
      next: () => nextOf(watcher),
      return: async () => {
        end();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  /** Ends all iterations, once each has what is waiting for it. */
  close(): void {
    for (const watcher of this.#watchers) watcher.end();
  }

  stats(): FeedStats {
    return { watchers: this.#watchers.size, published: this.#published, missed: this.#missed };
  }
}

async function nextOf(watcher: Watcher): Promise<IteratorResult<FeedItem, undefined>> {
  while (watcher.missed === 0 && watcher.buffer.length === 0) {
    if (watcher.isOver) return { done: true, value: undefined };
    await new Promise<void>((resolve) => {
      watcher.wake = resolve;
    });
    watcher.wake = undefined;
  }
  if (watcher.missed > 0) {
    const count = watcher.missed;
    watcher.missed = 0;
    return { done: false, value: { is: "missed", count } };
  }
  return { done: false, value: { is: "transition", transition: watcher.buffer.shift()! } };
}
