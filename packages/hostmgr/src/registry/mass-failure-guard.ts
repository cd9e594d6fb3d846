/** When to doubt that so many hosts are down at once. */
export interface MassFailureGuardOptions {
  /** The share of hosts that may go down within a window, 0.15; when more look down, none is called so. */
  readonly shareMax: number;
  /** 120,000 ms. */
  readonly windowMs: number;
  /** Hosts below which nothing is guarded, 5: one of four is a quarter. */
  readonly hostsMin: number;
  /** Windows in a row that must look well before the guard lets go, 2. */
  readonly goodWindows: number;
}

/** What holds where an option is not given. */
export const defaultMassFailureGuardOptions: MassFailureGuardOptions = Object.freeze({
  shareMax: 0.15,
  windowMs: 120_000,
  hostsMin: 5,
  goodWindows: 2,
});

/** What a round of judging found. */
export interface GuardRound {
  readonly nowMs: number;
  /** Hosts that are watched and are not down. One that was taken off on purpose is not among them. */
  readonly standing: number;
  /** Of those, how many look down. */
  readonly looking: number;
}

/** Why the guard holds, for people. */
export interface GuardAlarm {
  readonly sinceMs: number;
  /** What it was entered with: hosts that looked down or had gone down within the window, of so many. */
  readonly failing: number;
  readonly of: number;
  /** When it ends, if all looks well until then. */
  readonly endsAtMs: number | undefined;
}

/**
 * Holds back when most hosts look dead at once: the network of the one that looks is the likelier cause. Entered when more
 * than a share of the hosts look down or went down within a window; left after some windows without, or by force.
 *
 * Unlike Eureka's self-preservation it cannot stick: hosts that are taken off on purpose are not expected any more, hosts
 * that are down already do not count, and the alarm says what it waits for.
 */
export class MassFailureGuard {
  readonly #options: MassFailureGuardOptions;
  /** When hosts went down, within the window. */
  #falls: { readonly atMs: number; readonly hosts: number }[] = [];
  #alarm: { sinceMs: number; failing: number; of: number } | undefined;
  #badMs = Number.NEGATIVE_INFINITY;
  #forcedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: Partial<MassFailureGuardOptions> = {}) {
    this.#options = { ...defaultMassFailureGuardOptions, ...options };
  }

  /** Looks at a round, before any of its hosts is called down. @returns whether they may be */
  round({ nowMs, standing, looking }: GuardRound): boolean {
    const { windowMs, shareMax, hostsMin, goodWindows } = this.#options;
    this.#falls = this.#falls.filter(({ atMs }) => atMs > nowMs - windowMs);
    if (nowMs < this.#forcedUntilMs) return true;
    const fallen = this.#falls.reduce((sum, { hosts }) => sum + hosts, 0);
    const of = standing + fallen;
    const failing = looking + fallen;
    // Those that fell before the alarm began keep it from ending no longer than the window.
    const isBad = looking > 0 && of >= hostsMin && failing > of * shareMax;
    if (isBad) this.#badMs = nowMs;
    if (isBad) this.#alarm ??= { sinceMs: nowMs, failing, of };
    else if (this.#alarm !== undefined && nowMs - this.#badMs >= goodWindows * windowMs)
      this.#alarm = undefined;
    return this.#alarm === undefined;
  }

  /** Notes that hosts were called down. */
  fell(hosts: number, nowMs: number): void {
    if (hosts > 0) this.#falls.push({ atMs: nowMs, hosts });
  }

  /** Somebody knows better: for a window, hosts go down as they look. */
  force(nowMs: number): void {
    this.#alarm = undefined;
    this.#forcedUntilMs = nowMs + this.#options.windowMs;
  }

  /** Why hosts are not called down now; undefined when they are. */
  alarm(nowMs: number): GuardAlarm | undefined {
    if (this.#alarm === undefined) return undefined;
    const { goodWindows, windowMs } = this.#options;
    const isGood = this.#badMs < nowMs;
    return { ...this.#alarm, endsAtMs: isGood ? this.#badMs + goodWindows * windowMs : undefined };
  }
}
