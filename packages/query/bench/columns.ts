import type { ColumnSlice, HostSeries } from "@mon/store";
import type { SampleSource } from "../src/index.ts";

const hourMs = 3_600_000;

/** A source of one host whose series have a sample every second, all columns made beforehand. */
export function createSource(series: number, hours: number): SampleSource & { columns: Float64Array[] } {
  const all = Array.from({ length: series }, (_, index) => ({
    name: "disk_bytes_total",
    labels: [{ name: "device", value: `sd${index}` }],
    kind: 2 as const,
  }));
  const slices = Array.from({ length: hours }, (_, hour): ColumnSlice => {
    const startMs = hour * hourMs;
    const timestampsMs = Float64Array.from({ length: 3_600 }, (_, second) => startMs + second * 1_000);
    const columns = all.map((one, index) => ({
      series: one,
      timestampsMs,
      // A counter that is reset now and then.
      values: timestampsMs.map((t) => ((t / 1_000) * (index + 1)) % 100_000),
      flags: new Uint32Array(3_600),
    }));
    return { startMs, endMs: startMs + hourMs - 1, columns, conflicts: 0, missing: [] };
  });
  return {
    columns: slices.flatMap((slice) => slice.columns.map((column) => column.values)),
    async *series(): AsyncGenerator<HostSeries> {
      yield { hostId: "web-1", series: all };
    },
    async *read(): AsyncGenerator<ColumnSlice> {
      yield* slices;
    },
  };
}
