/** A promise that is settled from outside, once; later attempts do nothing. */
export class Settler<Value> {
  readonly promise: Promise<Value>;
  #resolve!: (value: Value) => void;
  #reject!: (error: unknown) => void;
  #settled = false;
  #cleanUp: (() => void) | undefined;

  /** @param signal - rejects the promise with its reason when it is aborted */
  constructor(signal?: AbortSignal) {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (signal === undefined) {
      return;
    }
    const abort = (): void => this.reject(abortError(signal));
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    this.#cleanUp = () => signal.removeEventListener("abort", abort);
  }

  get settled(): boolean {
    return this.#settled;
  }

  resolve(value: Value): void {
    if (this.#settle()) {
      this.#resolve(value);
    }
  }

  reject(error: unknown): void {
    if (this.#settle()) {
      this.#reject(error);
    }
  }

  #settle(): boolean {
    if (this.#settled) {
      return false;
    }
    this.#settled = true;
    this.#cleanUp?.();
    return true;
  }
}

function abortError(signal: AbortSignal): Error {
  const error = new Error("expected the operation to go on, got an abort", { cause: signal.reason });
  error.name = "AbortError";
  return error;
}
