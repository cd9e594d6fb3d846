/** Someone who waits for room. */
interface Waiter {
  readonly bytes: number;
  readonly admit: () => void;
}

/**
 * A bound on the bytes that are under way. Whoever brings more waits in line, first come first served, so that one
 * large batch is not overtaken for ever by small ones.
 */
export class ByteBudget {
  readonly max: number;
  #used = 0;
  readonly #line = new Set<Waiter>();

  /** @param max - bytes; at least 1 */
  constructor(max: number) {
    if (!(max >= 1)) throw new RangeError(`expected a budget of at least 1 byte, got ${max}`);
    this.max = max;
  }

  /** Bytes under way. */
  get used(): number {
    return this.#used;
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.#line.size;
  }

  /**
   * Takes `bytes` when there is room and nobody waits. More than the whole budget is taken when nothing else is under
   * way, so that it can pass at all.
   */
  tryAcquire(bytes: number): boolean {
    if (this.#line.size > 0 || !this.#fits(bytes)) return false;
    this.#used += bytes;
    return true;
  }

  /** Waits until `bytes` fit, and takes them. @throws the signal's reason when it aborts first */
  async acquire(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.tryAcquire(bytes)) return;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#line.delete(waiter);
        this.#admitWaiting();
        reject(signal.reason);
      };
      const waiter: Waiter = {
        bytes,
        admit: () => {
          signal.removeEventListener("abort", abort);
          resolve();
        },
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#line.add(waiter);
    });
  }

  /** Gives back what was taken. */
  release(bytes: number): void {
    this.#used -= bytes;
    this.#admitWaiting();
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.max;
  }

  #admitWaiting(): void {
    for (const waiter of this.#line) {
      if (!this.#fits(waiter.bytes)) return;
      this.#line.delete(waiter);
      this.#used += waiter.bytes;
      waiter.admit();
    }
  }
}
