import { Code, ConnectError } from "@connectrpc/connect";

/** Lets a number of calls in at a time and turns the others away, so that their callers can go elsewhere or wait. */
export class Turnstile {
  readonly #max: number;
  readonly #what: string;
  #inside = 0;

  /** @param what - what it lets in, for the message to others: "queries" */
  constructor(max: number, what: string) {
    this.#max = max;
    this.#what = what;
  }

  get inside(): number {
    return this.#inside;
  }

  /** @returns what to call when done; once. @throws {ConnectError} UNAVAILABLE when too many are inside */
  enter(): () => void {
    if (this.#inside >= this.#max) {
      throw new ConnectError(
        `expected at most ${this.#max} ${this.#what} at a time, try again shortly`,
        Code.Unavailable,
        {
          "retry-after": "1",
        },
      );
    }
    this.#inside++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#inside--;
    };
  }
}
