import type { Entry, LogIndex } from "../../entry.ts";
import { hold } from "./violation.ts";

/**
 * What the state machines did. All that applied the same command must have the same fingerprint of history, those
 * that were restored from a snapshot too.
 */
export class MachineBook {
  /** By index of the command. */
  readonly #chains: (string | undefined)[] = [];
  /** Where each request took effect. */
  readonly #requests = new Map<string, LogIndex>();

  /**
   * @param request - the request that took effect with it, if any
   * @throws {Violation} when another machine did something else, or a request took effect before
   */
  applied({ index }: Entry, chain: string, request: string | undefined): void {
    if (this.#chains[index] === undefined) {
      this.#chains[index] = chain;
      if (request !== undefined) {
        const before = this.#requests.get(request);
        hold(
          before === undefined,
          "each request once",
          () => `expected request ${request} to take effect once, got ${before} and ${index}`,
        );
        this.#requests.set(request, index);
      }
      return;
    }
    hold(
      this.#chains[index] === chain,
      "state machine safety",
      () => `expected all machines to have the same history up to ${index}`,
    );
  }

  /** @throws {Violation} when the snapshot holds another history than the log */
  restored(index: LogIndex, chain: string): void {
    const known = this.#chains[index];
    hold(
      known === undefined || known === chain,
      "a snapshot is its log",
      () => `expected a snapshot with the history up to ${index}`,
    );
  }

  /** Where a request took effect; undefined when it did not. */
  indexOf(request: string): LogIndex | undefined {
    return this.#requests.get(request);
  }
}
