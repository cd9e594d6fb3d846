import { cpus, totalmem, uptime } from "node:os";
import type { SampleInput } from "@mon/client";
import { expect, test } from "vitest";
import { Collection } from "../src/collection.ts";
import type { Collector } from "../src/collector.ts";
import { collectorNames } from "../src/collector.ts";
import { CpuCollector } from "../src/collectors/cpu.ts";
import { linuxCollectors } from "../src/platform.ts";
import { portableCollectors } from "../src/portable-collectors.ts";
import { ProcFs } from "../src/proc-fs.ts";

/** Other work on the machine may take most of its CPUs. */
const timeout = 30_000;

async function readTwice(collectors: readonly Collector[]): Promise<SampleInput[]> {
  const failures: string[] = [];
  const collection = new Collection(collectors, {
    onFailed: (name, error) => failures.push(`${name}: ${error.message}`),
    onRecovered: () => {},
  });
  await collection.collect();
  burn(50);
  const samples = await collection.collect();
  expect(failures).toEqual([]);
  return samples;
}

/** Uses this much CPU time of this process. */
function burn(ms: number): void {
  const before = process.cpuUsage();
  for (;;) {
    const { user, system } = process.cpuUsage(before);
    if (user + system >= ms * 1_000) return;
  }
}

function valueIn(samples: readonly SampleInput[], name: string, labels: Record<string, string> = {}): number {
  const found = samples.find(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels?.[key] === value),
  );
  expect(found, name).toBeDefined();
  return found!.value;
}

function expectValid(samples: readonly SampleInput[]): void {
  const series = new Set<string>();
  for (const { name, value, labels = {}, kind } of samples) {
    expect(name).toMatch(/^system_[a-z0-9_]+$/);
    expect(Number.isFinite(value) && value >= 0, `${name} ${value}`).toBe(true);
    expect(kind).toBe(name.endsWith("_total") ? "counter" : "gauge");
    for (const [label, text] of Object.entries(labels)) {
      expect(label).toMatch(/^[a-z_]+$/);
      expect(typeof text).toBe("string");
    }
    if (name.endsWith("_ratio")) {
      expect(value).toBeLessThanOrEqual(1);
      expect(Math.abs(value * 10_000 - Math.round(value * 10_000))).toBeLessThan(1e-6);
    }
    const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    expect(series.has(key), key).toBe(false);
    series.add(key);
  }
}

test.runIf(process.platform === "linux")(
  "every collector reads this machine, and agrees with what Node knows of it",
  { timeout },
  async () => {
    const collectors = linuxCollectors(new ProcFs());
    expect(collectors.map(({ name }) => name)).toEqual(collectorNames);
    const samples = await readTwice(collectors);
    expectValid(samples);
    expect(valueIn(samples, "system_memory_limit_bytes")).toBe(totalmem());
    expect(valueIn(samples, "system_cpu_logical_count")).toBe(cpus().length);
    expect(Math.abs(valueIn(samples, "system_uptime_seconds") - uptime())).toBeLessThan(30);
    expect(valueIn(samples, "system_process_count")).toBeGreaterThanOrEqual(1);
    expect(
      valueIn(samples, "system_filesystem_limit_bytes", { system_filesystem_mountpoint: "/" }),
    ).toBeGreaterThan(0);
  },
);

test("the portable collectors read this machine, under the same names", { timeout }, async () => {
  const collectors = portableCollectors();
  expect(collectors.map(({ name }) => name)).toEqual(collectorNames);
  const samples = await readTwice(collectors);
  expectValid(samples);
  expect(valueIn(samples, "system_memory_limit_bytes")).toBe(totalmem());
  expect(valueIn(samples, "system_cpu_utilization_ratio", { cpu_mode: "busy" })).toBeGreaterThan(0);
});

test.runIf(process.platform === "linux")("burning CPU shows in the busy share", { timeout }, () => {
  const collector = new CpuCollector(new ProcFs());
  collector.collect();
  const wallMs = performance.now();
  burn(300);
  const elapsedMs = performance.now() - wallMs;
  const busy = valueIn(collector.collect(), "system_cpu_utilization_ratio", { cpu_mode: "busy" });
  // This process alone was busy for 300 ms of all CPUs' time; the kernel counts in steps of 10 ms.
  expect(busy).toBeGreaterThan((300 - 60) / (elapsedMs * cpus().length));
});
