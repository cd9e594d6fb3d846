/** One stored value, as a reader saw it. */
export interface Reading {
  readonly hostId: string;
  readonly timestampMs: number;
  readonly value: number;
}

/** How what was read compares with what was sent. All 0 when every promise was kept. */
export interface LedgerCheck {
  /** Acknowledged and not read. */
  readonly lost: number;
  /** Read with another value than was sent. */
  readonly wrong: number;
  /** Read more than once. */
  readonly duplicates: number;
  /** Read and never sent. */
  readonly phantoms: number;
}

/** A writer's own account of what it sent and what was acknowledged, kept apart from the broker. */
export class Ledger {
  readonly #sent = new Set<string>();
  readonly #acked = new Set<string>();

  get acked(): number {
    return this.#acked.size;
  }

  get sent(): number {
    return this.#sent.size;
  }

  /** The value that a host has at an instant: any program can tell whether a reading is right. */
  static value(hostId: string, timestampMs: number): number {
    let hash = 0;
    for (const character of `${hostId}:${timestampMs}`) hash = (hash * 31 + character.charCodeAt(0)) | 0;
    return hash / 64;
  }

  send(hostId: string, timestampMs: number): void {
    this.#sent.add(`${hostId}:${timestampMs}`);
  }

  ack(hostId: string, timestampMs: number): void {
    this.#acked.add(`${hostId}:${timestampMs}`);
  }

  check(readings: Iterable<Reading>): LedgerCheck {
    const seen = new Set<string>();
    let wrong = 0;
    let duplicates = 0;
    let phantoms = 0;
    for (const { hostId, timestampMs, value } of readings) {
      const key = `${hostId}:${timestampMs}`;
      if (seen.has(key)) duplicates++;
      seen.add(key);
      if (!this.#sent.has(key)) phantoms++;
      else if (value !== Ledger.value(hostId, timestampMs)) wrong++;
    }
    let lost = 0;
    for (const key of this.#acked) if (!seen.has(key)) lost++;
    return { lost, wrong, duplicates, phantoms };
  }
}
