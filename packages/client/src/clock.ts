/** A timer that can be taken back. */
export interface Timer {
  /** Takes it back; does nothing after it has fired. */
  clear(): void;
}

/** Time, as the client sees it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Calls `fire` once, `ms` milliseconds from now. */
  setTimeout(fire: () => void, ms: number): Timer;
}

/** Randomness, as the client sees it: numbers from 0 up to and without 1. */
export interface Random {
  next(): number;
}

/** The machine's clock. Its timers keep the process alive: a client that runs has something to do. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (fire, ms) => {
    const handle = setTimeout(fire, ms);
    return { clear: () => clearTimeout(handle) };
  },
};

/** The engine's generator: good enough to spread reconnects. */
export const systemRandom: Random = { next: () => Math.random() };
