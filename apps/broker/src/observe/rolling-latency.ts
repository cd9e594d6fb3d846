/** Buckets an octave; a bucket's values lie within 9 % of each other. */
const bucketsPerOctave = 8;
/** Buckets from 2^-10 ms to 2^20 ms, about 17 minutes. */
const octaveMin = -10;
const bucketCount = 30 * bucketsPerOctave;
/** Slots that a window is cut into; the oldest is dropped whole. */
const slotCount = 6;

/** A distribution of durations, in milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** One stretch of the window. */
interface Slot {
  readonly counts: Uint32Array;
  maxMs: number;
  endsAtMs: number;
}

/** Durations of the past minute or so, in exponential buckets: constant memory, whatever the rate. */
export class RollingLatency {
  readonly #slotMs: number;
  readonly #slots: Slot[];
  #current = 0;

  /** @param windowMs - how far back it remembers, in milliseconds; cut into six slots */
  constructor(windowMs = 60_000) {
    this.#slotMs = windowMs / slotCount;
    this.#slots = Array.from({ length: slotCount }, () => ({
      counts: new Uint32Array(bucketCount),
      maxMs: 0,
      endsAtMs: 0,
    }));
  }

  record(durationMs: number, nowMs: number): void {
    const slot = this.#slotAt(nowMs);
    const bucket = Math.floor(
      (Math.log2(Math.max(durationMs, 2 ** octaveMin)) - octaveMin) * bucketsPerOctave,
    );
    slot.counts[Math.min(bucket, bucketCount - 1)]!++;
    if (durationMs > slot.maxMs) slot.maxMs = durationMs;
  }

  summary(nowMs: number): LatencySummary {
    const live = this.#slots.filter((slot) => slot.endsAtMs > nowMs - this.#slotMs * (slotCount - 1));
    const counts = new Float64Array(bucketCount);
    let count = 0;
    let maxMs = 0;
    for (const slot of live) {
      maxMs = Math.max(maxMs, slot.maxMs);
      for (let i = 0; i < bucketCount; i++) {
        counts[i]! += slot.counts[i]!;
        count += slot.counts[i]!;
      }
    }
    const atMost = (share: number): number => Math.min(quantile(counts, count * share), maxMs);
    return { count, p50Ms: atMost(0.5), p99Ms: atMost(0.99), maxMs };
  }

  #slotAt(nowMs: number): Slot {
    const current = this.#slots[this.#current]!;
    if (nowMs < current.endsAtMs) return current;
    this.#current = (this.#current + 1) % slotCount;
    const next = this.#slots[this.#current]!;
    next.counts.fill(0);
    next.maxMs = 0;
    next.endsAtMs = nowMs + this.#slotMs;
    return next;
  }
}

/** The upper end of the bucket that holds the value of a rank. */
function quantile(counts: Float64Array, rank: number): number {
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i]!;
    if (seen > 0 && seen >= rank) return 2 ** ((i + 1) / bucketsPerOctave + octaveMin);
  }
  return 0;
}
