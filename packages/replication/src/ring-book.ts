import type { Clock } from "./clock.ts";
import { epochOf, type Rings } from "./rings.ts";
import { Topology } from "./topology.ts";

/**
 * The rings that a broker knows. It follows the broker's own state machine, and takes from peers what is newer; its epoch
 * only rises. What else changes under one epoch may be older here than elsewhere: more members are asked then.
 */
export class RingBook {
  #rings: Rings;
  #topology: Topology;
  readonly #waiting = new Set<() => void>();

  constructor(rings: Rings, standInsMax?: number) {
    this.#rings = rings;
    this.#topology = new Topology(rings, standInsMax);
  }

  get rings(): Rings {
    return this.#rings;
  }

  get topology(): Topology {
    return this.#topology;
  }

  get epoch(): number {
    return this.#topology.epoch;
  }

  /** Takes a state of the broker's own state machine, unless a peer has told of a newer epoch. */
  follow(rings: Rings): void {
    if (epochOf(rings) >= this.epoch) this.#take(rings);
  }

  /** Takes what a peer told if its epoch is newer. @returns whether it is */
  learn(rings: Rings): boolean {
    if (epochOf(rings) <= this.epoch) return false;
    this.#take(rings);
    return true;
  }

  /** Resolves with true when this epoch is reached, with false when that takes longer than `timeoutMs`. */
  until(epoch: number, clock: Clock, timeoutMs: number): Promise<boolean> {
    if (this.epoch >= epoch) return Promise.resolve(true);
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.epoch < epoch) return;
        timer.cancel();
        this.#waiting.delete(look);
        resolve(true);
      };
      const timer = clock.setTimeout(() => {
        this.#waiting.delete(look);
        resolve(false);
      }, timeoutMs);
      this.#waiting.add(look);
    });
  }

  #take(rings: Rings): void {
    this.#rings = rings;
    this.#topology = new Topology(rings, this.#topology.standInsMax);
    for (const look of this.#waiting) look();
  }
}
