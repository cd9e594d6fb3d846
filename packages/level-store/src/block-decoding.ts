import { type Chunk, ColumnBuilder, type Series, seriesKey } from "@mon/store";
import { readBlock } from "./block-reader.ts";
import type { DecodedStretch, StoredBlock } from "./decode-messages.ts";
import { FragmentList } from "./fragment-list.ts";
import { recordsOf } from "./joined-records.ts";
import { packColumns } from "./packed-columns.ts";
import { storedChunk } from "./stored-chunk.ts";

/** The series of one read, as far as they have been met: their numbers, or that they are not wanted. */
export class KnownSeries {
  readonly #numbers = new Map<string, number>();
  /** Series of fragments, each once however many fragments have it. */
  readonly #inFragments: Series[] = [];
  /** Looks at fragments for their series only. */
  readonly #scanner: ColumnBuilder = new ColumnBuilder((series) => {
    this.#inFragments.push(series);
    return false;
  });

  /**
   * Series whose numbers are not known, though they may have been asked for because of another block. {@link learn} is to
   * follow when there are any.
   */
  unknownOf(chunks: readonly Chunk[], head: FragmentList): Series[] {
    for (let i = 0; i < head.length; i++) this.#scanner.add(head.timestampsMs[i]!, head.bytesAt(i));
    const unknown = new Map<string, Series>();
    for (const list of [...chunks.map(({ series }) => series), this.#inFragments]) {
      for (const series of list) {
        const key = seriesKey(series);
        if (!this.#numbers.has(key)) unknown.set(key, series);
      }
    }
    return [...unknown.values()];
  }

  /** @param numbers - of series in order, −1 for those that are not wanted */
  learn(series: readonly Series[], numbers: Int32Array): void {
    for (const [index, one] of series.entries()) this.#numbers.set(seriesKey(one), numbers[index]!);
  }

  /** The number of a series, −1 when it is not wanted. */
  numberOf(series: Series): number {
    return this.#numbers.get(seriesKey(series)) ?? -1;
  }
}

/** What decoding gives: a stretch, or series whose numbers it has to be told to go on. */
export type DecodingStep =
  | { readonly kind: "stretch"; readonly stretch: DecodedStretch }
  | { readonly kind: "unknown"; readonly series: readonly Series[] };

/** Decodes a block, a stretch at a time. */
export function* decodeBlock(
  { records, head, range, maxSliceSamples }: StoredBlock,
  known: KnownSeries,
): Generator<DecodingStep, void, Int32Array | undefined> {
  let damage: string[] = [];
  const onDamage = (reason: string): void => {
    damage.push(reason);
  };
  const chunks: Chunk[] = [];
  for (const [key, value] of recordsOf(records)) {
    const stored = storedChunk(key, value, onDamage);
    if (stored !== undefined) chunks.push(stored.chunk);
  }
  const fragments = new FragmentList(head);
  const series = known.unknownOf(chunks, fragments);
  if (series.length > 0) {
    const numbers = yield { kind: "unknown", series };
    if (numbers === undefined) throw new Error("expected the numbers of series");
    known.learn(series, numbers);
  }
  const options = { wants: (one: Series) => known.numberOf(one) >= 0, maxSliceSamples, onDamage };
  for (const { endMs, columns, conflicts } of readBlock({ chunks, head: fragments }, range, options)) {
    const stretch: DecodedStretch = {
      endMs,
      conflicts,
      damage,
      isLast: endMs === range.endMs,
      columns: packColumns(columns, (one) => known.numberOf(one)),
      columnCount: columns.length,
    };
    damage = [];
    yield { kind: "stretch", stretch };
  }
}
