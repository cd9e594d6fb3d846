import type { Series, SeriesColumn } from "@mon/store";

/** Bytes of an instant, a value and flags. */
const sampleBytes = 8 + 8 + 4;
/** Bytes of a column's series, kind and length. */
const columnBytes = 4 + 4 + 4;

/**
 * Puts columns into one piece of memory, so that it can be handed to another thread: instants of all columns, then
 * values, then flags; then of each column the number of its series, its kind and its length.
 */
export function packColumns(
  columns: readonly SeriesColumn[],
  numberOf: (series: Series) => number,
): ArrayBuffer {
  let samples = 0;
  for (const { values } of columns) samples += values.length;
  const memory = new ArrayBuffer(samples * sampleBytes + columns.length * columnBytes);
  const { allTimestampsMs, allValues, allFlags, heads } = viewsOf(memory, samples, columns.length);
  let position = 0;
  for (const [index, { series, timestampsMs, values, flags }] of columns.entries()) {
    allTimestampsMs.set(timestampsMs, position);
    allValues.set(values, position);
    allFlags.set(flags, position);
    position += values.length;
    heads[3 * index] = numberOf(series);
    heads[3 * index + 1] = series.kind;
    heads[3 * index + 2] = values.length;
  }
  return memory;
}

/** The columns of {@link packColumns}: views. */
export function unpackColumns(
  memory: ArrayBuffer,
  count: number,
  seriesOf: (number: number, kind: Series["kind"]) => Series,
): SeriesColumn[] {
  const samples = (memory.byteLength - count * columnBytes) / sampleBytes;
  const { allTimestampsMs, allValues, allFlags, heads } = viewsOf(memory, samples, count);
  const columns: SeriesColumn[] = [];
  let position = 0;
  for (let index = 0; index < count; index++) {
    const end = position + heads[3 * index + 2]!;
    columns.push({
      // It was a kind when it was packed.
      series: seriesOf(heads[3 * index]!, heads[3 * index + 1] as Series["kind"]),
      timestampsMs: allTimestampsMs.subarray(position, end),
      values: allValues.subarray(position, end),
      flags: allFlags.subarray(position, end),
    });
    position = end;
  }
  return columns;
}

function viewsOf(memory: ArrayBuffer, samples: number, columns: number) {
  return {
    allTimestampsMs: new Float64Array(memory, 0, samples),
    allValues: new Float64Array(memory, 8 * samples, samples),
    allFlags: new Uint32Array(memory, 16 * samples, samples),
    heads: new Uint32Array(memory, sampleBytes * samples, 3 * columns),
  };
}
