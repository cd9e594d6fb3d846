import type { Kind, Label, QueryRangeResponse, SeriesValues } from "@mon/proto";
import { MonctlError } from "./errors.ts";
import { formatSeries } from "./selector.ts";

/** All values of one series in an answer. */
export interface CollectedSeries {
  host: string;
  name: string;
  labels: readonly Label[];
  kind: Kind;
  /** Rising, in milliseconds since the epoch. */
  timesMs: number[];
  values: number[];
}

/**
 * Puts the series of a streamed answer back together, whose values come in slices of time.
 * At most `pointsMax` values are held; one more is an error, never a shortened answer.
 */
export class SeriesCollector {
  readonly #series = new Map<string, CollectedSeries>();
  readonly #pointsMax: number;
  #points = 0;

  constructor(pointsMax: number = 1_000_000) {
    this.#pointsMax = pointsMax;
  }

  /** Takes a part of the answer in. */
  add(message: QueryRangeResponse): void {
    for (const part of message.series) this.#append(part);
  }

  /** The series in the order in which they first came. */
  get series(): CollectedSeries[] {
    return [...this.#series.values()];
  }

  #append(part: SeriesValues): void {
    this.#points += part.values.length;
    if (this.#points > this.#pointsMax) {
      throw new MonctlError("MONCTL_FAILURE", `expected at most ${this.#pointsMax} values, got more`, {
        hint: "ask for less time, fewer series or a --step; or stream with --output jsonl or csv",
      });
    }
    const series = this.#seriesOf(part);
    eachPoint(part, (timeMs, value) => {
      series.timesMs.push(timeMs);
      series.values.push(value);
    });
  }

  #seriesOf({ series }: SeriesValues): CollectedSeries {
    const { hostId: host = "", name = "", labels = [], kind = 0 } = series ?? {};
    const key = `${host} ${formatSeries(name, labels)}`;
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const collected = { host, name, labels, kind, timesMs: [], values: [] };
    this.#series.set(key, collected);
    return collected;
  }
}

/** Goes through the values of a part of a series, with their instants in milliseconds since the epoch. */
export function eachPoint(part: SeriesValues, visit: (timeMs: number, value: number) => void): void {
  const baseMs = Number(part.baseMs);
  for (const [index, value] of part.values.entries()) visit(baseMs + part.offsetsMs[index]!, value);
}
