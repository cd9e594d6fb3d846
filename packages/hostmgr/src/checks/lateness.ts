/** Upper bounds of the classes that lateness is counted in, milliseconds. */
const boundsMs: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

/** How late things begin: counts by class, in constant memory. */
export class Lateness {
  readonly #counts = new Float64Array(boundsMs.length + 1);
  #count = 0;
  #maxMs = 0;

  add(lateMs: number): void {
    const at = boundsMs.findIndex((bound) => lateMs <= bound);
    const index = at === -1 ? boundsMs.length : at;
    this.#counts[index] = this.#counts[index]! + 1;
    this.#count++;
    this.#maxMs = Math.max(this.#maxMs, lateMs);
  }

  get count(): number {
    return this.#count;
  }

  get maxMs(): number {
    return this.#maxMs;
  }

  /** What a share of all is not above: the bound of its class, or the greatest of all when that is less. 0 when there are none. */
  quantileMs(share: number): number {
    let seen = 0;
    for (const [i, boundMs] of boundsMs.entries()) {
      seen += this.#counts[i]!;
      if (seen >= share * this.#count) return Math.min(boundMs, this.#maxMs);
    }
    return this.#maxMs;
  }
}
