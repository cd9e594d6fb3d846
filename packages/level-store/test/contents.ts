import { type Fragment, fragmentFromSamples, type MetricStore, type Sample, seriesKey } from "@mon/store";

/** A fragment of gauges without labels. */
export function report(hostId: string, timestampMs: number, values: Record<string, number>): Fragment {
  const samples: Sample[] = Object.entries(values).map(([name, value]) => ({
    name,
    value,
    labels: [],
    kind: 1,
    flags: 0,
  }));
  return fragmentFromSamples(hostId, timestampMs, samples);
}

/** The points of one host: series key, instant and value; with what is said to be missing. */
export async function readAll(
  store: MetricStore,
  hostId: string,
  range = { startMs: 0, endMs: 4_000_000_000_000 },
): Promise<{ points: string[]; missing: string[] }> {
  const points: string[] = [];
  const missing: string[] = [];
  for await (const slice of store.read({ hostId, ...range })) {
    missing.push(...slice.missing);
    for (const { series, timestampsMs, values } of slice.columns) {
      for (const [i, timestampMs] of timestampsMs.entries()) {
        points.push(`${seriesKey(series)} ${timestampMs} ${values[i]}`);
      }
    }
  }
  return { points: points.sort(), missing };
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** Everything that a store tells. */
export async function contentsOf(store: MetricStore, hostIds: readonly string[]): Promise<unknown> {
  const partitions = await collect(store.partitions());
  return {
    hosts: await store.hosts({ limit: 1_000 }),
    metrics: await store.metrics({}),
    series: await collect(store.series({})),
    latest: await store.latest(hostIds),
    partitions: partitions.map(({ hostId, blockStartMs }) => `${hostId} ${blockStartMs}`).sort(),
    reads: await Promise.all(hostIds.map((hostId) => readAll(store, hostId))),
  };
}
