/** A number of reports and of the samples in them. */
export interface Count {
  readonly reports: number;
  readonly samples: number;
}

/** Where everything that was handed to `report` is, in one unit: `sent = acked + rejected + dropped + buffered`. */
export interface Tally {
  /** Handed to `report`. */
  readonly sent: number;
  /** Stored, says a broker. */
  readonly acked: number;
  /** Refused for good by a broker. A report counts here when none of its samples was stored. */
  readonly rejected: number;
  /**
   * Given up by the client without knowing that it is stored: no room, too large, or stopped. What was under way when
   * the client stopped may be stored all the same.
   */
  readonly dropped: number;
  /** Kept by the client: waiting, under way, or waiting to be sent again. */
  readonly buffered: number;
}

/** The whole account, in samples and in reports. Each of the two adds up at every instant. */
export interface LedgerSnapshot {
  readonly reports: Tally;
  readonly samples: Tally;
}

type MutableTally = { -readonly [K in keyof Tally]: Tally[K] };

function emptyTally(): MutableTally {
  return { sent: 0, acked: 0, rejected: 0, dropped: 0, buffered: 0 };
}

/** Books each report once when it comes and once when it goes; `buffered` is counted, never derived. */
export class Ledger {
  readonly #reports: MutableTally = emptyTally();
  readonly #samples: MutableTally = emptyTally();

  /** A report came and is kept. */
  accept(samples: number): void {
    this.#reports.sent += 1;
    this.#reports.buffered += 1;
    this.#samples.sent += samples;
    this.#samples.buffered += samples;
  }

  /** A report came and was not kept. */
  turnAway(samples: number): void {
    this.#reports.sent += 1;
    this.#reports.dropped += 1;
    this.#samples.sent += samples;
    this.#samples.dropped += samples;
  }

  /** Kept reports were given up. */
  drop(count: Count): void {
    this.#move("dropped", count);
  }

  /** Kept reports were stored or rejected. A report may be acked while some of its samples are rejected. */
  settle(acked: Count, rejected: Count): void {
    this.#move("acked", acked);
    this.#move("rejected", rejected);
  }

  /** A copy that no longer changes. */
  snapshot(): LedgerSnapshot {
    return { reports: { ...this.#reports }, samples: { ...this.#samples } };
  }

  #move(to: "acked" | "rejected" | "dropped", count: Count): void {
    this.#reports[to] += count.reports;
    this.#reports.buffered -= count.reports;
    this.#samples[to] += count.samples;
    this.#samples.buffered -= count.samples;
  }
}
