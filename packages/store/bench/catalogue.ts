import { cpus } from "node:os";
import { parseArgs } from "node:util";
import {
  Catalogue,
  compileMatchers,
  encodeSamples,
  type HostSeries,
  listHosts,
  listMetrics,
  type Matcher,
  type Sample,
  selectSeries,
} from "../src/index.ts";

const { values: options } = parseArgs({
  options: { hosts: { type: "string", default: "10000" }, rounds: { type: "string", default: "5" } },
});
const hostCount = Number(options.hosts);
const rounds = Number(options.rounds);
const seriesPerHost = 100;
const t0 = 1_767_225_600_000;

/** How the series of hosts differ: not at all, or by a label whose value each host has for itself. */
type Fleet = "shared" | "distinct";

function hostIdAt(i: number): string {
  return `web-${String(i).padStart(5, "0")}.eu-west.example.net`;
}

/** The report of a host: 10 metrics of 10 series each. */
function samplesOf(fleet: Fleet, host: number): Sample[] {
  return Array.from({ length: seriesPerHost }, (_, i): Sample => {
    const labels = [
      { name: "cpu", value: String(i % 10) },
      { name: "mode", value: ["user", "system", "idle", "iowait"][i % 4]! },
      ...(fleet === "distinct" ? [{ name: "container", value: `c-${host}-${i % 10}` }] : []),
    ];
    const name = `system_metric_${Math.floor(i / 10)}_total`;
    labels.sort((a, b) => (a.name < b.name ? -1 : 1));
    return { name, labels, kind: 2, value: i + 0.5, flags: 0 };
  });
}

/** Fills a catalogue as a store does: from fragments, or, without last values, from series. @returns milliseconds */
function fill(catalogue: Catalogue, fleet: Fleet, keepsShapes: boolean): number {
  let durationMs = 0;
  for (let host = 0; host < hostCount; host++) {
    const hostId = hostIdAt(host);
    const samples = samplesOf(fleet, host);
    const bytes = keepsShapes ? encodeSamples(samples) : undefined;
    const start = performance.now();
    if (bytes !== undefined)
      catalogue.observe({ hostId, timestampMs: t0 + host, idHigh: 0, idLow: 0, bytes });
    else {
      const state = catalogue.ensureHost(hostId);
      for (const sample of samples) catalogue.addSeries(state, sample);
    }
    durationMs += performance.now() - start;
  }
  return durationMs;
}

function bytesHeld(): number {
  if (globalThis.gc === undefined) throw new Error("expected node --expose-gc");
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The same answer by asking every series of every host. */
function* scan(all: readonly HostSeries[], matchers: readonly Matcher[]): Generator<HostSeries> {
  const { matchesHost, matchesSeries } = compileMatchers(matchers);
  for (const { hostId, series } of all) {
    if (!matchesHost(hostId)) continue;
    const matching = series.filter(matchesSeries);
    if (matching.length > 0) yield { hostId, series: matching };
  }
}

function countOf(found: Iterable<HostSeries>): number {
  let count = 0;
  for (const { series } of found) count += series.length;
  return count;
}

function medianMs(operation: () => unknown): number {
  const durations = Array.from({ length: rounds }, () => {
    const start = performance.now();
    operation();
    return performance.now() - start;
  });
  return durations.sort((a, b) => a - b)[Math.floor(rounds / 2)]!;
}

const queries: Readonly<Record<string, readonly Matcher[]>> = {
  all: [],
  "name = text": [{ label: "__name__", type: "=", value: "system_metric_3_total" }],
  "host = text": [{ label: "__host__", type: "=", value: hostIdAt(7) }],
  "label = text": [{ label: "container", type: "=", value: "c-7-3" }],
  "label != text": [{ label: "mode", type: "!=", value: "idle" }],
  "name =~ a|b, label = text": [
    { label: "__name__", type: "=~", value: "system_metric_1_total|system_metric_2_total" },
    { label: "cpu", type: "=", value: "4" },
  ],
  "name =~ prefix.*": [{ label: "__name__", type: "=~", value: "system_metric_[4].*" }],
  "label =~ prefix.*": [{ label: "container", type: "=~", value: "c-77.*" }],
  "label =~ expression": [{ label: "container", type: "=~", value: "c-[0-9]*7-[35]" }],
  "label !~ expression": [{ label: "mode", type: "!~", value: "i.+e" }],
};

console.log(
  `${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}, ${hostCount} hosts of ${seriesPerHost} series, median of ${rounds}`,
);
for (const fleet of ["shared", "distinct"] as const) {
  const before = bytesHeld();
  const bare = new Catalogue();
  fill(bare, fleet, false);
  const bytesASeries = (bytesHeld() - before) / bare.series;
  const catalogue = new Catalogue();
  const fillMs = fill(catalogue, fleet, true);
  const first = performance.now();
  const all = [...selectSeries(catalogue, {})];
  const firstMs = performance.now() - first;
  console.log(`\n${fleet}: ${bytesASeries.toFixed(1)} bytes a series, without last values`);
  console.log(
    `filled in ${fillMs.toFixed(0)} ms, first listing ${firstMs.toFixed(0)} ms, in ${catalogue.table.size} distinct series`,
  );
  for (const [name, matchers] of Object.entries(queries)) {
    const found = countOf(selectSeries(catalogue, { matchers }));
    if (found !== countOf(scan(all, matchers)))
      throw new Error(`expected index and scan to agree on ${name}`);
    const indexMs = medianMs(() => countOf(selectSeries(catalogue, { matchers })));
    const scanMs = medianMs(() => countOf(scan(all, matchers)));
    console.log(
      `${name.padEnd(28)} ${String(found).padStart(8)} series  index ${indexMs.toFixed(2).padStart(8)} ms  scan ${scanMs.toFixed(2).padStart(8)} ms  ratio ${(indexMs / scanMs).toFixed(4)}`,
    );
  }
  const ids = catalogue.hostIds();
  const latestMs = medianMs(() => ids.map((hostId) => catalogue.host(hostId)!.latest()));
  const hostsMs = medianMs(() => listHosts(catalogue, { limit: 1_000, after: ids[ids.length >> 1]! }));
  const metricsMs = medianMs(() => listMetrics(catalogue, {}));
  const ofHostsMs = medianMs(() => listMetrics(catalogue, { range: { startMs: t0, endMs: t0 * 2 } }));
  const rows = {
    "latest of all hosts": latestMs,
    "page of 1,000 hosts": hostsMs,
    "metrics of all": metricsMs,
    "metrics in a range": ofHostsMs,
  };
  for (const [name, ms] of Object.entries(rows))
    console.log(`${name.padEnd(28)} ${ms.toFixed(2).padStart(8)} ms`);
}
