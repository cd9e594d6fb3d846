import type { Clock, Timer } from "../../src/index.ts";

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
  cancelled: boolean;
}

/** A clock that stands still until it is moved. */
export class VirtualClock implements Clock {
  #now = 1_767_225_600_000;
  #order = 0;
  #timers: Scheduled[] = [];

  now(): number {
    return this.#now;
  }

  setTimeout(callback: () => void, delayMs: number): Timer {
    const timer: Scheduled = { at: this.#now + delayMs, order: this.#order++, callback, cancelled: false };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.cancelled = true;
      },
    };
  }

  setImmediate(callback: () => void): Timer {
    return this.setTimeout(callback, 0);
  }

  /** Runs what is due now, and what that makes due, until nothing is. */
  async settle(): Promise<void> {
    await microtasks();
    for (let next = this.#next(this.#now); next !== undefined; next = this.#next(this.#now)) {
      next.callback();
      await microtasks();
    }
  }

  /** Moves time on, running what becomes due on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await microtasks();
    }
    this.#now = end;
  }

  /** Moves time on at once, as for a process that was stopped; then runs what is overdue. */
  async stall(ms: number): Promise<void> {
    this.#now += ms;
    await this.settle();
  }

  /** Moves time on until something holds; fails when it does not within a minute. */
  async until(condition: () => boolean): Promise<void> {
    for (let waited = 0; !condition(); waited += 10) {
      if (waited > 60_000) {
        throw new Error("expected the condition to hold within a minute");
      }
      await this.advance(10);
    }
  }

  #next(until: number): Scheduled | undefined {
    this.#timers = this.#timers.filter(({ cancelled }) => !cancelled);
    let best: Scheduled | undefined;
    for (const timer of this.#timers) {
      if (
        timer.at <= until &&
        (best === undefined || timer.at < best.at || (timer.at === best.at && timer.order < best.order))
      ) {
        best = timer;
      }
    }
    if (best !== undefined) {
      best.cancelled = true;
    }
    return best;
  }
}

/** Lets all promises that can settle without time passing settle. */
async function microtasks(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}
