import type { Random } from "../random.ts";

/**
 * A generator that gives the same numbers for the same seed (sfc32). One seed gives any number of independent
 * streams, so that another draw for one concern does not shift the draws of all others.
 */
export class SeededRandom implements Random {
  readonly #seed: number;
  readonly #path: string;
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  /**
   * @param seed - an integer
   * @param path - the stream, see {@link stream}
   */
  constructor(seed: number, path = "") {
    this.#seed = seed;
    this.#path = path;
    let hash = 0x811c9dc5 ^ (seed >>> 0);
    hash = Math.imul(hash ^ Math.floor(seed / 2 ** 32), 0x01000193);
    for (let at = 0; at < path.length; at++) {
      hash = Math.imul(hash ^ path.charCodeAt(at), 0x01000193);
    }
    this.#a = hash | 0;
    this.#b = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) | 0;
    this.#c = (seed ^ 0x9e3779b9) | 0;
    for (let warmUp = 0; warmUp < 12; warmUp++) {
      this.next();
    }
  }

  /** Another generator, of the same seed and independent of this one. */
  stream(name: string): SeededRandom {
    return new SeededRandom(this.#seed, `${this.#path}/${name}`);
  }

  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return (sum >>> 0) / 4294967296;
  }

  /** An integer from 0 to `count` − 1. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  /** A number from `min` up to and without `max`. */
  between(min: number, max: number): number {
    return min + this.next() * (max - min);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the items, of which there is at least one. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  /** The items in random order. */
  shuffle<Item>(items: readonly Item[]): Item[] {
    const shuffled = [...items];
    for (let at = shuffled.length - 1; at > 0; at--) {
      const other = this.below(at + 1);
      [shuffled[at], shuffled[other]] = [shuffled[other]!, shuffled[at]!];
    }
    return shuffled;
  }

  /** An exponentially distributed number: the time until the next of events that come by chance. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }
}
