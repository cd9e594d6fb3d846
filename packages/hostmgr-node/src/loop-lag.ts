import { monitorEventLoopDelay } from "node:perf_hooks";

/** How often the event loop is looked at, milliseconds. */
const resolutionMs = 20;

/** Watches by how much the event loop is late. */
export interface LoopLag extends Disposable {
  /** By how much it was late at most since this was asked last, milliseconds. */
  read(): number;
}

/** Begins to watch. The watch keeps no process alive. */
export function watchLoopLag(): LoopLag {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  return {
    read(): number {
      const { max } = delays;
      delays.reset();
      return Math.max(0, max / 1e6 - resolutionMs);
    },
    [Symbol.dispose](): void {
      delays.disable();
    },
  };
}
