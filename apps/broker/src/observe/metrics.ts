import type { ByteBudget, Intake } from "@mon/intake";
import type { MetricStore, StoreStats } from "@mon/store";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { WatchHub } from "../services/watch-hub.ts";
import type { Telemetry } from "./telemetry.ts";

/** What metrics are read from. */
export interface MetricSources {
  readonly intake: Intake;
  readonly budget: ByteBudget;
  readonly store: MetricStore;
  readonly watchHub: WatchHub;
  readonly telemetry: Telemetry;
  readonly now: () => number;
}

/** The broker's metrics for Prometheus, under `mon_`, and the process's under their usual names. */
export function createMetrics({ intake, budget, store, watchHub, telemetry, now }: MetricSources): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { counters } = intake;

  counter(registry, "mon_intake_batches_total", "Batches that got an outcome.", () => counters.batches);
  counter(registry, "mon_intake_reports_total", "Reports stored, repeats included.", () => counters.reports);
  counter(registry, "mon_intake_samples_total", "Samples stored, repeats included.", () => counters.samples);
  counter(
    registry,
    "mon_intake_reports_repeated_total",
    "Reports answered without a write.",
    () => counters.reportsRepeated,
  );
  counter(
    registry,
    "mon_intake_reports_refused_total",
    "Reports refused for now.",
    () => counters.reportsRefused,
  );
  counter(
    registry,
    "mon_intake_timestamps_converted_total",
    "Reports whose time came in another unit.",
    () => counters.timestampsConverted,
  );
  labelled(
    registry,
    "mon_intake_rejections_total",
    "Samples and reports rejected for good.",
    "reason",
    () => counters.rejections,
  );
  labelled(
    registry,
    "mon_call_errors_total",
    "Calls that ended with an error.",
    "code",
    () => telemetry.callErrors,
  );

  gauge(
    registry,
    "mon_intake_in_flight_bytes",
    "Bytes of reports on their way to the store.",
    () => budget.used,
  );
  gauge(
    registry,
    "mon_intake_in_flight_bytes_max",
    "The bound of mon_intake_in_flight_bytes.",
    () => budget.max,
  );
  gauge(registry, "mon_intake_queued_reports", "Reports that wait for a flush.", () => intake.queued);
  gauge(registry, "mon_intake_streams", "Open report streams.", () => telemetry.streams);
  gauge(registry, "mon_watchers", "Callers that watch reports live.", () => watchHub.watchers);
  new Gauge({
    name: "mon_intake_ack_seconds",
    help: "From a batch's arrival to its outcome, over the past minute.",
    labelNames: ["quantile"],
    registers: [registry],
    collect() {
      const { p50Ms, p99Ms, maxMs } = telemetry.ackLatency.summary(now());
      this.set({ quantile: "0.5" }, p50Ms / 1_000);
      this.set({ quantile: "0.99" }, p99Ms / 1_000);
      this.set({ quantile: "1" }, maxMs / 1_000);
    },
  });
  const stored = (name: string, help: string, read: (stats: StoreStats) => number): void =>
    gauge(registry, name, help, async () => read(await store.stats()));
  stored("mon_store_hosts", "Hosts that the store has data of.", (stats) => stats.hosts);
  stored("mon_store_series", "Series in the store's catalogue.", (stats) => stats.series);
  stored(
    "mon_store_series_over_limit",
    "Series that hosts have beyond their limit.",
    (stats) => stats.seriesOverLimit,
  );
  stored("mon_store_bytes", "Bytes that the store takes.", (stats) => stats.bytes);
  stored(
    "mon_store_conflicts",
    "Instants at which fragments disagreed, since the start.",
    (stats) => stats.conflicts,
  );
  stored("mon_store_damages", "Damages that the store knows of.", (stats) => stats.damage.length);
  stored("mon_store_available", "Whether the store takes writes.", (stats) =>
    stats.unavailable === undefined ? 1 : 0,
  );
  return registry;
}

function counter(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}

function labelled(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  read: () => ReadonlyMap<string, number>,
): void {
  new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      this.reset();
      for (const [value, count] of read()) this.inc({ [label]: value }, count);
    },
  });
}

function gauge(registry: Registry, name: string, help: string, read: () => number | Promise<number>): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    async collect() {
      this.set(await read());
    },
  });
}
