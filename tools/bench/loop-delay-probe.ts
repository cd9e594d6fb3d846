import type { Child } from "./child.ts";
import type { LoopDelayReading } from "./loop-delay.ts";

/** Reads the delay of a child's event loop, where `loop-delay-preload.ts` was preloaded into it. */
export class LoopDelayProbe {
  readonly #child: Child;

  constructor(child: Child) {
    this.#child = child;
  }

  /** Ends a stretch of time and begins the next; one at a time. @returns the delay over the one that ended */
  async next(): Promise<LoopDelayReading> {
    const answered = this.#child.message<LoopDelayReading>();
    this.#child.process.send({});
    return await answered;
  }
}
