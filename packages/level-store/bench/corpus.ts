import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Fragment, fragmentFromSamples, Layout, type Sample } from "@mon/store";

/** The first instant of all reports. */
export const startMs = 1_767_225_600_000;
/** How far the reports of a host are apart. */
export const intervalMs = 15_000;

/** Values that come round again; each sets all metrics of a report. */
const variantCount = 240;

/** Reports of 20 metrics, 545 bytes each, from hosts that take turns; the same for every run. */
export class Corpus {
  readonly hosts: readonly string[];
  readonly layout: Layout;
  readonly #variants: readonly Fragment[];

  constructor(hosts: number) {
    this.hosts = Array.from({ length: hosts }, (_, i) => `host-${i}.example.com`);
    this.#variants = Array.from({ length: variantCount }, (_, i) => makeReport(i));
    this.layout = new Layout(this.#variants[0]!.bytes);
  }

  get reportBytes(): number {
    return this.#variants[0]!.bytes.length;
  }

  /** The n-th report; negative numbers are those before the first instant. */
  report(n: number): Fragment {
    const { length } = this.hosts;
    const round = Math.floor(n / length);
    return this.reportOf(this.hosts.at(n % length)!, startMs + round * intervalMs, round);
  }

  /** The n-th report of a host. */
  reportOf(hostId: string, timestampMs: number, n: number): Fragment {
    return { ...this.#variants.at(n % variantCount)!, hostId, timestampMs, layout: this.layout };
  }

  /** Reports from the n-th on. */
  reports(first: number, count: number): Fragment[] {
    return Array.from({ length: count }, (_, i) => this.report(first + i));
  }
}

/** A third each of counters, percentages and measurements of many digits, as machines have them. */
function makeReport(n: number): Fragment {
  const samples = Array.from({ length: 20 }, (_, i): Sample => {
    const labels = i % 5 === 0 ? [{ name: "cpu", value: String(i) }] : [];
    const wave = Math.sin(n / 9 + i);
    const value = [1e6 + 137 * n * (i + 1), Math.round(1e3 * (2 + wave)) / 10, 1e6 * (2 + wave)][i % 3]!;
    return { name: `metric_${i}`, labels, value, kind: i % 3 === 0 ? 2 : 1, flags: 0 };
  });
  return fragmentFromSamples("host", startMs, samples);
}

/** Works in a directory that goes afterwards. */
export async function inDirectory<T>(parent: string, work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(parent, "mon-level-bench-"));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What some work took. */
export interface Cost {
  readonly ms: number;
  /** Of all threads, in microseconds. */
  readonly cpuUs: number;
}

/** Measures some work. */
export async function measure(work: () => Promise<void>): Promise<Cost> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await work();
  const ms = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, cpuUs: user + system };
}
