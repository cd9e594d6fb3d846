import type { ByteBudget } from "@mon/intake";

/** How long a batch waits for room before it is refused, in milliseconds. */
const patienceMs = 5_000;

/**
 * Lets batches in while there is room: first in the budget of their connection, then in that of the broker. Waiting
 * stops the reading of that connection, and so its sender; who has waited too long is refused.
 */
export class Admission {
  readonly #connection: ByteBudget;
  readonly #broker: ByteBudget;

  constructor(connection: ByteBudget, broker: ByteBudget) {
    this.#connection = connection;
    this.#broker = broker;
  }

  /** Takes room for `bytes` if there is some at once. */
  tryEnter(bytes: number): boolean {
    if (!this.#connection.tryAcquire(bytes)) return false;
    if (this.#broker.tryAcquire(bytes)) return true;
    this.#connection.release(bytes);
    return false;
  }

  /** Takes room for `bytes`. @returns why there is none, or undefined when it was taken */
  async enter(bytes: number, signal: AbortSignal): Promise<string | undefined> {
    if (!this.#connection.tryAcquire(bytes)) {
      if (!(await hasRoom(this.#connection, bytes, signal)))
        return "this connection has too many bytes under way";
    }
    if (!this.#broker.tryAcquire(bytes)) {
      if (!(await hasRoom(this.#broker, bytes, signal))) {
        this.#connection.release(bytes);
        return "the broker has too many bytes under way";
      }
    }
    return undefined;
  }

  /** Gives room back. */
  leave(bytes: number): void {
    this.#broker.release(bytes);
    this.#connection.release(bytes);
  }
}

async function hasRoom(budget: ByteBudget, bytes: number, signal: AbortSignal): Promise<boolean> {
  try {
    await budget.acquire(bytes, AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
    return true;
  } catch {
    // Only the signals end the wait: there is no room in time, or nobody who wants it.
    return false;
  }
}
