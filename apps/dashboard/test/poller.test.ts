import { describe, expect, it } from "vitest";
import { Poller, type PollerDeps } from "../src/poller.ts";

/** A tab whose time and visibility the test moves by hand. */
class Tab implements PollerDeps {
  hidden = false;
  #timers = new Map<number, { task: () => void; atMs: number }>();
  #nowMs = 0;
  #count = 0;
  #changed: () => void = () => {};

  setTimeout(task: () => void, delayMs: number): number {
    this.#timers.set(++this.#count, { task, atMs: this.#nowMs + delayMs });
    return this.#count;
  }
  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as number);
  }
  isHidden(): boolean {
    return this.hidden;
  }
  onVisibilityChange(changed: () => void): () => void {
    this.#changed = changed;
    return () => {
      this.#changed = () => {};
    };
  }
  show(visible: boolean): void {
    this.hidden = !visible;
    this.#changed();
  }
  async pass(durationMs: number): Promise<void> {
    this.#nowMs += durationMs;
    for (const [id, { task, atMs }] of [...this.#timers]) {
      if (atMs > this.#nowMs) continue;
      this.#timers.delete(id);
      task();
    }
    await settled();
  }
}

/** Lets promises that are already settled call back. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function started(task: (signal: AbortSignal) => Promise<void>): Promise<{ tab: Tab; poller: Poller }> {
  const tab = new Tab();
  const poller = new Poller({ task, intervalMs: () => 1_000 }, tab);
  poller.start();
  await settled();
  return { tab, poller };
}

describe("a poller", () => {
  it("asks at once and then at its interval", async () => {
    let asked = 0;
    const { tab } = await started(async () => void asked++);
    expect(asked).toBe(1);
    await tab.pass(999);
    expect(asked).toBe(1);
    await tab.pass(1);
    expect(asked).toBe(2);
  });

  it("asks one question at a time", async () => {
    let asked = 0;
    const { promise, resolve } = Promise.withResolvers<void>();
    const { tab } = await started(() => {
      asked++;
      return promise;
    });
    await tab.pass(10_000);
    tab.show(true);
    expect(asked).toBe(1);
    resolve();
    await settled();
    await tab.pass(1_000);
    expect(asked).toBe(2);
  });

  it("goes on after a failure", async () => {
    let asked = 0;
    const { tab } = await started(async () => {
      asked++;
      throw new Error("no answer");
    });
    await tab.pass(1_000);
    expect(asked).toBe(2);
  });

  it("rests while the tab is hidden and asks as soon as it is shown", async () => {
    let asked = 0;
    const { tab } = await started(async () => void asked++);
    tab.show(false);
    await tab.pass(60_000);
    expect(asked).toBe(1);
    tab.show(true);
    expect(asked).toBe(2);
  });

  it("aborts the question under way when it stops, and asks no more", async () => {
    let asked = 0;
    let aborted = false;
    const { tab, poller } = await started((signal) => {
      asked++;
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      return Promise.resolve();
    });
    poller.stop();
    await tab.pass(10_000);
    tab.show(true);
    expect([asked, aborted]).toEqual([1, true]);
  });
});
