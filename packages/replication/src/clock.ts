/** Something that was scheduled and can be called off. */
export interface Timer {
  cancel(): void;
}

/** Time, given by hand so that tests can run it. */
export interface Clock {
  /** Milliseconds; only differences count. */
  now(): number;
  /** Calls back once, after at least `delayMs`. */
  setTimeout(callback: () => void, delayMs: number): Timer;
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const end = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** Longer than the time that a `Date` can hold: keeps everything. */
export const longestMs = 8_640_000_000_000_000;
