/** When a host's changes of state are no longer followed one by one. */
export interface FlapDampingOptions {
  /** In which time a penalty halves, 300,000 ms. */
  readonly halfLifeMs: number;
  /** Changes in a row, without a pause, from which a host counts as flapping, 4: to restart takes three. */
  readonly flappingFrom: number;
  /** The penalty below which it is calm again, 1. */
  readonly calmBelow: number;
  /** The worst penalty, 12: after the last change a host is calm within some four half-lives. */
  readonly penaltyMax: number;
}

/** What holds where an option is not given. */
export const defaultFlapDampingOptions: FlapDampingOptions = Object.freeze({
  halfLifeMs: 300_000,
  flappingFrom: 4,
  calmBelow: 1,
  penaltyMax: 12,
});

/** A penalty that makes no difference any more. */
const forgotten = 0.1;

interface Penalty {
  value: number;
  atMs: number;
  isFlapping: boolean;
}

/**
 * Tells hosts that change now and then from those that change all the time: each change adds one to a penalty that decays; above
 * a limit the host is flapping, until it has decayed far below. A host that changes every five minutes is followed, one that
 * does every minute is not.
 *
 * @see RFC 2439, BGP Route Flap Damping, §4.2
 */
export class FlapDamping {
  readonly #options: FlapDampingOptions;
  readonly #penalties = new Map<string, Penalty>();

  constructor(options: Partial<FlapDampingOptions> = {}) {
    this.#options = { ...defaultFlapDampingOptions, ...options };
  }

  /** A host has changed its state. @returns whether it has become flapping by it */
  changed(key: string, nowMs: number): boolean {
    const { flappingFrom, penaltyMax } = this.#options;
    const before = this.#penalties.get(key);
    const value = Math.min(penaltyMax, (before === undefined ? 0 : this.#decayed(before, nowMs)) + 1);
    const wasFlapping = before?.isFlapping === true;
    const isFlapping = wasFlapping || value >= flappingFrom;
    this.#penalties.set(key, { value, atMs: nowMs, isFlapping });
    return isFlapping && !wasFlapping;
  }

  isFlapping(key: string): boolean {
    return this.#penalties.get(key)?.isFlapping === true;
  }

  /** Flapping hosts. O(hosts that have changed lately). */
  get flapping(): number {
    let count = 0;
    for (const { isFlapping } of this.#penalties.values()) if (isFlapping) count++;
    return count;
  }

  forget(key: string): void {
    this.#penalties.delete(key);
  }

  /** Ends flapping, and forgets penalties, that have decayed. O(hosts that have changed lately). @returns those that were flapping, and are calm */
  calm(nowMs: number): string[] {
    const calmed: string[] = [];
    for (const [key, penalty] of this.#penalties) {
      const value = this.#decayed(penalty, nowMs);
      if (penalty.isFlapping && value < this.#options.calmBelow) {
        penalty.isFlapping = false;
        calmed.push(key);
      }
      if (value < forgotten) this.#penalties.delete(key);
    }
    return calmed;
  }

  #decayed({ value, atMs }: Penalty, nowMs: number): number {
    return value * 2 ** (-Math.max(0, nowMs - atMs) / this.#options.halfLifeMs);
  }
}
