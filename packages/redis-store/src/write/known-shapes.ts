import { decodeSamples, encodeSamples, type Fragment, Layout, type Series } from "@mon/store";
import { idText, type SeriesEntry, seriesEntry } from "../keys/series-entry.ts";

/** A list of series as programs send it time and again, whichever hosts they run on. */
export class KnownShape {
  /** `s` and the hash of its series: the field of the newest instant of this shape in a host's hash. */
  readonly field: Buffer;
  readonly series: readonly Series[];
  #entries: readonly SeriesEntry[] | undefined;

  constructor(id: string, series: readonly Series[]) {
    this.field = Buffer.from(`s${id}`, "latin1");
    this.series = series;
  }

  /** As a host's hash of series has them; in the order of the fragment. */
  get entries(): readonly SeriesEntry[] {
    this.#entries ??= this.series.map(seriesEntry);
    return this.#entries;
  }
}

/** Layouts that are recognised by their serial; all are forgotten beyond it. */
const serialsMax = 8_192;
/** Lengths for which layouts are kept, and layouts of one length. */
const lengthsMax = 1_024;
const perLengthMax = 16;

/** Finds the shape of a fragment; for one whose layout is known, without looking at its bytes. */
export class KnownShapes {
  readonly #bySerial = new Map<number, KnownShape>();
  readonly #byLength = new Map<number, { readonly layout: Layout; readonly shape: KnownShape }[]>();
  readonly #byId = new Map<string, WeakRef<KnownShape>>();

  /** @throws {StoreError} STORE_FRAGMENT_INVALID when the bytes are not canonical */
  of({ layout, bytes }: Pick<Fragment, "layout" | "bytes">): KnownShape {
    if (layout === undefined) return this.#ofBytes(bytes);
    let shape = this.#bySerial.get(layout.serial);
    if (shape === undefined) {
      shape = this.#ofBytes(bytes);
      if (this.#bySerial.size === serialsMax) this.#bySerial.clear();
      this.#bySerial.set(layout.serial, shape);
    }
    return shape;
  }

  #ofBytes(bytes: Uint8Array): KnownShape {
    let candidates = this.#byLength.get(bytes.length);
    const known = candidates?.find(({ layout }) => layout.fits(bytes));
    if (known !== undefined) return known.shape;
    const shape = this.ofSeries(decodeSamples(bytes));
    if (candidates === undefined) {
      if (this.#byLength.size === lengthsMax) this.#byLength.clear();
      candidates = [];
      this.#byLength.set(bytes.length, candidates);
    }
    if (candidates.length === perLengthMax) candidates.shift();
    candidates.push({ layout: new Layout(bytes), shape });
    return shape;
  }

  /** The shape of fragments of these series. */
  ofSeries(given: readonly Series[]): KnownShape {
    const series = given.map(({ name, labels, kind }) => ({ name, labels, kind }));
    const id = idText(encodeSamples(series.map((one) => ({ ...one, value: 0, flags: 0 }))));
    const known = this.#byId.get(id)?.deref();
    if (known !== undefined) return known;
    const shape = new KnownShape(id, series);
    if (this.#byId.size === serialsMax) this.#byId.clear();
    this.#byId.set(id, new WeakRef(shape));
    return shape;
  }
}
