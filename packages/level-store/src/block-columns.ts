import { decodeSamples, Layout, mergeColumns, type SeriesColumn, seriesKey } from "@mon/store";

/** A series of a layout, and where its value stands. */
interface PlannedSample {
  readonly series: SeriesColumn["series"];
  readonly key: string;
  /** Undefined when the value is left out: +0. */
  readonly offset: number | undefined;
  readonly flags: number;
}

/** How to read fragments of one layout without looking at more than their values. */
interface Plan {
  readonly layout: Layout;
  readonly samples: readonly PlannedSample[];
}

/** Plans of one length that are kept; beyond it the eldest goes. */
const perLengthMax = 16;
/** Lengths that are kept; beyond it all are dropped. */
const lengthsMax = 1_024;

/** Where a fragment stands. */
export interface Place {
  readonly view: DataView;
  readonly offset: number;
  readonly length: number;
}

function bytesAt({ view, offset, length }: Place): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + offset, length);
}

/** Finds the plan of a fragment. */
export class Plans {
  readonly #byLength = new Map<number, Plan[]>();
  readonly #byNumber: (Plan | undefined)[] = [];
  #last: Plan | undefined;

  /**
   * @param place - of a canonical fragment
   * @param layout - its number; fragments with one have the same layout. 0 when it is not known
   */
  of(place: Place, layout: number): Plan {
    const known = this.#byNumber[layout];
    if (known !== undefined) return known;
    const bytes = bytesAt(place);
    if (layout > 0) {
      const plan = this.#find(bytes);
      this.#byNumber[layout] = plan;
      return plan;
    }
    if (this.#last?.layout.fits(bytes) !== true) this.#last = this.#find(bytes);
    return this.#last;
  }

  #find(bytes: Uint8Array): Plan {
    let candidates = this.#byLength.get(bytes.length);
    const known = candidates?.find((plan) => plan.layout.fits(bytes));
    if (known !== undefined) return known;
    if (candidates === undefined) {
      if (this.#byLength.size === lengthsMax) this.#byLength.clear();
      candidates = [];
      this.#byLength.set(bytes.length, candidates);
    }
    const plan = planOf(bytes);
    if (candidates.length === perLengthMax) candidates.shift();
    candidates.push(plan);
    return plan;
  }
}

function planOf(bytes: Uint8Array): Plan {
  const layout = new Layout(bytes);
  let offsets = 0;
  const samples = decodeSamples(bytes).map(({ name, labels, kind, value, flags }): PlannedSample => {
    const series = { name, labels, kind };
    const offset = Object.is(value, 0) ? undefined : layout.valueOffsets[offsets++];
    return { series, key: seriesKey(series), offset, flags };
  });
  return { layout, samples };
}

/** Fragments of one plan at rising instants. */
interface Group {
  readonly plan: Plan;
  readonly timestampsMs: number[];
  readonly places: Place[];
}

/**
 * Gathers the fragments of one block of one host, added in order of time, and turns them into columns. Fragments of one
 * layout become columns by copying values from where they stand; those of several layouts are folded (R4).
 */
export class BlockColumns {
  readonly #plans: Plans;
  readonly #groups: Group[] = [];
  fragments = 0;

  constructor(plans: Plans) {
    this.#plans = plans;
  }

  /** @param layout - its number, as in {@link Plans.of} */
  add(timestampMs: number, place: Place, layout: number): void {
    this.fragments++;
    const plan = this.#plans.of(place, layout);
    for (const group of this.#groups) {
      if (group.plan !== plan || group.timestampsMs.at(-1)! >= timestampMs) continue;
      group.timestampsMs.push(timestampMs);
      group.places.push(place);
      return;
    }
    this.#groups.push({ plan, timestampsMs: [timestampMs], places: [place] });
  }

  /** The columns of what was added, by series key. */
  columns(): SeriesColumn[] {
    const [first, ...others] = this.#groups;
    if (first === undefined) return [];
    if (others.length === 0) return columnsOf(first);
    const parts = new Map<string, SeriesColumn[]>();
    for (const group of this.#groups) {
      for (const [index, column] of columnsOf(group).entries()) {
        const { key } = group.plan.samples[index]!;
        const known = parts.get(key);
        if (known === undefined) parts.set(key, [column]);
        else known.push(column);
      }
    }
    return [...parts.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, columns]) => (columns.length === 1 ? columns[0]! : mergeColumns(columns).column));
  }
}

function columnsOf({ plan: { samples }, timestampsMs, places }: Group): SeriesColumn[] {
  const instants = Float64Array.from(timestampsMs);
  const rows = places.length;
  // Column by column, each value as two words: a number may lose the payload of a NaN.
  const words = new Uint32Array(2 * rows * samples.length);
  const offsets = Int32Array.from(samples, (sample) => sample.offset ?? -1);
  for (let row = 0; row < rows; row++) {
    const { view, offset } = places[row]!;
    for (let i = 0; i < offsets.length; i++) {
      if (offsets[i]! < 0) continue;
      const at = offset + offsets[i]!;
      const to = 2 * (i * rows + row);
      words[to] = view.getUint32(at, true);
      words[to + 1] = view.getUint32(at + 4, true);
    }
  }
  const values = new Float64Array(words.buffer);
  const unmarked = new Uint32Array(rows);
  return samples.map(({ series, flags }, i) => ({
    series,
    timestampsMs: instants,
    values: values.subarray(i * rows, (i + 1) * rows),
    flags: flags === 0 ? unmarked : new Uint32Array(rows).fill(flags),
  }));
}
