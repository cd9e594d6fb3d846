/** When a prober doubts itself. */
export interface ProberDoubtOptions {
  /** How long a round is in which each host is checked once, 30,000 ms. */
  readonly roundMs: number;
  /** The share of a round's hosts above which failures say more of the prober than of the hosts, 0.5. */
  readonly failingShareMax: number;
  /** Failing hosts below which a round says nothing, 5. */
  readonly failingMin: number;
  /** By how much the event loop may be late, 200 ms: an answer may then have waited here, and not there. */
  readonly loopLagMsMax: number;
  /** The worst score, 7: timeouts are stretched by it and one, eightfold at most. */
  readonly scoreMax: number;
}

/** What holds where an option is not given. */
export const defaultProberDoubtOptions: ProberDoubtOptions = Object.freeze({
  roundMs: 30_000,
  failingShareMax: 0.5,
  failingMin: 5,
  loopLagMsMax: 200,
  scoreMax: 7,
});

/** Why a prober doubts itself, for people. */
export interface Doubt {
  readonly score: number;
  readonly sinceMs: number;
  readonly reason: string;
}

/**
 * Whether a prober should believe what it finds. One that finds most of its hosts dead within a round, or whose own event loop is
 * late, has more likely lost its network or its processor than its hosts: each such round raises a score, each good one lowers
 * it. While it is not zero, timeouts are longer, and a host is down only when another broker finds so too.
 *
 * Hosts that are down already count for nothing, so that a fleet that is half switched off does not make a prober doubt for ever.
 *
 * @see Dadgar, Phillips, Currey, Lifeguard: Local Health Awareness for More Accurate Failure Detection, 2018, §IV-A
 */
export class ProberDoubt {
  readonly #options: ProberDoubtOptions;
  #score = 0;
  #sinceMs = 0;
  #reason = "";
  #roundBeganMs: number;
  /** Of this round: whether a host's worst check failed. */
  readonly #hosts = new Map<string, boolean>();
  #failing = 0;
  #isBadRound = false;

  constructor(nowMs: number, options: Partial<ProberDoubtOptions> = {}) {
    this.#options = { ...defaultProberDoubtOptions, ...options };
    this.#roundBeganMs = nowMs;
  }

  /** Notes a result. @param wasDown - whether the host was down before, and its failure no news */
  checked(hostKey: string, isFailing: boolean, wasDown: boolean, nowMs: number): void {
    this.#turn(nowMs);
    if (wasDown) return;
    const before = this.#hosts.get(hostKey);
    this.#hosts.set(hostKey, isFailing || before === true);
    if (isFailing && before !== true) this.#failing++;
    const { failingMin, failingShareMax } = this.#options;
    const isBad = this.#failing >= failingMin && this.#failing > this.#hosts.size * failingShareMax;
    if (isBad) this.#bad(`${this.#failing} of ${this.#hosts.size} hosts failed within a round`, nowMs);
  }

  /** Notes by how much the event loop was late. */
  looped(lagMs: number, nowMs: number): void {
    this.#turn(nowMs);
    if (lagMs > this.#options.loopLagMsMax)
      this.#bad(`the event loop was ${Math.round(lagMs)} ms late`, nowMs);
  }

  /** Why it doubts itself now; undefined when it does not. */
  doubt(nowMs: number): Doubt | undefined {
    this.#turn(nowMs);
    return this.#score === 0
      ? undefined
      : { score: this.#score, sinceMs: this.#sinceMs, reason: this.#reason };
  }

  /** By how much timeouts are to be stretched, 1 and more. */
  get stretch(): number {
    return this.#score + 1;
  }

  /** Once a round, as soon as it shows: waiting for its end would let hosts go down by it. */
  #bad(reason: string, nowMs: number): void {
    this.#reason = reason;
    if (this.#isBadRound) return;
    this.#isBadRound = true;
    if (this.#score === 0) this.#sinceMs = nowMs;
    this.#score = Math.min(this.#options.scoreMax, this.#score + 1);
  }

  #turn(nowMs: number): void {
    const rounds = Math.floor((nowMs - this.#roundBeganMs) / this.#options.roundMs);
    if (rounds < 1) return;
    // Rounds in which nobody said anything are not bad ones.
    const good = rounds - (this.#isBadRound ? 1 : 0);
    this.#score = Math.max(0, this.#score - good);
    this.#roundBeganMs += rounds * this.#options.roundMs;
    this.#hosts.clear();
    this.#failing = 0;
    this.#isBadRound = false;
  }
}
