import { type MetricStore, seriesKey } from "@mon/store";

/** All that a store answers of its hosts, values as bits, so that two stores can be compared. */
export async function answersOf(store: MetricStore): Promise<unknown> {
  const hosts = await store.hosts({ limit: 10_000 });
  const points: Record<string, string[]> = {};
  for (const { hostId } of hosts) {
    for await (const { columns } of store.read({ hostId, startMs: 0, endMs: 1e15 })) {
      for (const { series, timestampsMs, values, flags } of columns) {
        const bits = new BigUint64Array(values.slice().buffer);
        const key = `${hostId} ${seriesKey(series)}`;
        points[key] ??= [];
        for (const [i, atMs] of timestampsMs.entries()) points[key].push(`${atMs} ${bits[i]} ${flags[i]}`);
      }
    }
  }
  const latest = await store.latest(hosts.map(({ hostId }) => hostId));
  return { hosts, points, latest, metrics: await store.metrics({}) };
}
