/** How hard a scan may push. */
export interface ScanPaceOptions {
  /** Probes begun a second, 500. Whoever watches the network sees so many connection attempts. */
  readonly ratePerSecond: number;
  /** Probes under way, 128; halved when this machine or the network shows strain, and raised again bit by bit. */
  readonly concurrency: number;
  /** The time that a probe has at first, 500 ms; later what answers have taken, with room, ... */
  readonly timeoutMs: number;
  /** ... 100 ms at least, ... */
  readonly timeoutMsMin: number;
  /** ... 1,250 ms at most. */
  readonly timeoutMsMax: number;
}

/** What holds where an option is not given. */
export const defaultScanPaceOptions: ScanPaceOptions = Object.freeze({
  ratePerSecond: 500,
  concurrency: 128,
  timeoutMs: 500,
  timeoutMsMin: 100,
  timeoutMsMax: 1_250,
});

/** Probes at once at most, whatever is asked for. */
const concurrencyMax = 1_024;

/** How a probe of a port ended. */
export type ProbeOutcome =
  | "open"
  /** Somebody is there, and nothing listens. */
  | "refused"
  /** Nobody answered in time, or the network says that there is nobody. */
  | "silent"
  /** This machine has no sockets, ports or buffers left. */
  | "exhausted";

/** How often the share of silence is looked at. */
const lookMs = 1_000;
/** Probes that a look must have seen to mean anything. */
const lookProbes = 16;
/** How much more silence than usual is a sign of strain. */
const strain = 2;

/**
 * Says when the next probe may begin, and how long it may take. A token bucket keeps the rate; the number under way is
 * halved when sockets run out or silence doubles, and grows by an eighth each second without; the time follows what answers
 * take: mean + 4 × deviation.
 *
 * @see Jacobson and Karels, Congestion Avoidance and Control, 1988, appendix A
 */
export class ScanPace {
  readonly #options: ScanPaceOptions;
  #window: number;
  #underWay = 0;
  #tokens: number;
  #filledMs: number;
  #mean: number | undefined;
  #deviation = 0;
  #lookedMs: number;
  #ended = 0;
  #silent = 0;
  /** The share of silence that is usual; undefined before the first look. */
  #usual: number | undefined;

  /** @throws {RangeError} naming the option that is out of range */
  constructor(nowMs: number, options: Partial<ScanPaceOptions> = {}) {
    this.#options = resolveOptions(options);
    this.#window = this.#options.concurrency;
    this.#tokens = this.#burst;
    this.#filledMs = nowMs;
    this.#lookedMs = nowMs;
  }

  /** How long a probe may take that begins now, in milliseconds. */
  get timeoutMs(): number {
    const { timeoutMs, timeoutMsMin, timeoutMsMax } = this.#options;
    if (this.#mean === undefined) return timeoutMs;
    return Math.min(timeoutMsMax, Math.max(timeoutMsMin, Math.ceil(this.#mean + 4 * this.#deviation)));
  }

  /** Probes that may be under way now. */
  get window(): number {
    return Math.floor(this.#window);
  }

  /** How long until a probe may begin: 0 for now, undefined for when another has ended. */
  waitMs(nowMs: number): number | undefined {
    if (this.#underWay >= this.window) return undefined;
    this.#fill(nowMs);
    return this.#tokens >= 1 ? 0 : ((1 - this.#tokens) * 1_000) / this.#options.ratePerSecond;
  }

  /** A probe begins. */
  began(nowMs: number): void {
    this.#fill(nowMs);
    this.#tokens--;
    this.#underWay++;
  }

  /** A probe has ended. @param tookMs - how long an answer took, refusals included */
  ended(outcome: ProbeOutcome, tookMs: number, nowMs: number): void {
    this.#underWay--;
    if (outcome === "exhausted") {
      this.#halve(nowMs);
      return;
    }
    this.#ended++;
    if (outcome === "silent") this.#silent++;
    else this.#learn(tookMs);
    if (nowMs - this.#lookedMs >= lookMs && this.#ended >= lookProbes) this.#look(nowMs);
  }

  /** Room for what was missed while this process was late: a tenth of a second's, so that no burst follows a pause. */
  get #burst(): number {
    return Math.max(1, Math.min(this.#options.concurrency, this.#options.ratePerSecond / 10));
  }

  #fill(nowMs: number): void {
    const { ratePerSecond } = this.#options;
    this.#tokens = Math.min(
      this.#burst,
      this.#tokens + (Math.max(0, nowMs - this.#filledMs) * ratePerSecond) / 1_000,
    );
    this.#filledMs = Math.max(nowMs, this.#filledMs);
  }

  #learn(tookMs: number): void {
    if (this.#mean === undefined) {
      this.#mean = tookMs;
      this.#deviation = tookMs / 2;
      return;
    }
    const error = tookMs - this.#mean;
    this.#mean += error / 8;
    this.#deviation += (Math.abs(error) - this.#deviation) / 4;
  }

  #look(nowMs: number): void {
    const share = this.#silent / this.#ended;
    const usual = this.#usual ?? share;
    this.#usual = usual + (share - usual) / 4;
    // Where almost all answers come, a few that do not are no sign of anything.
    if (share > strain * usual && share > 0.1) this.#halve(nowMs);
    else this.#window = Math.min(this.#options.concurrency, this.#window + Math.max(1, this.#window / 8));
    this.#ended = 0;
    this.#silent = 0;
    this.#lookedMs = nowMs;
  }

  #halve(nowMs: number): void {
    this.#window = Math.max(1, this.#window / 2);
    this.#ended = 0;
    this.#silent = 0;
    this.#lookedMs = nowMs;
  }
}

function resolveOptions(options: Partial<ScanPaceOptions>): ScanPaceOptions {
  const resolved = { ...defaultScanPaceOptions, ...options };
  const ranges: Readonly<Record<keyof ScanPaceOptions, readonly [number, number]>> = {
    ratePerSecond: [1, 1_000_000],
    concurrency: [1, concurrencyMax],
    timeoutMs: [1, 60_000],
    timeoutMsMin: [1, 60_000],
    timeoutMsMax: [1, 60_000],
  };
  for (const [name, [min, max]] of Object.entries(ranges)) {
    const value = resolved[name as keyof ScanPaceOptions];
    if (!(value >= min && value <= max))
      throw new RangeError(`expected ${name} from ${min} to ${max}, got ${value}`);
  }
  return resolved;
}
