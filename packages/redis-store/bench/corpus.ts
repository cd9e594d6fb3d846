import { type Fragment, fragmentFromSamples, Layout, type Sample } from "@mon/store";

/** How far the reports of a host are apart. */
export const intervalMs = 10_000;

/** Values that come round again; each sets all metrics of a report. */
const variantCount = 240;

/** Reports of some metrics each from hosts that take turns; the same for every run. */
export class Corpus {
  readonly hosts: readonly string[];
  readonly startMs: number;
  readonly #layout: Layout;
  readonly #variants: readonly Fragment[];

  constructor(hosts: number, metrics: number, startMs: number) {
    this.hosts = Array.from({ length: hosts }, (_, i) => `host-${i}.example.com`);
    this.startMs = startMs;
    this.#variants = Array.from({ length: variantCount }, (_, i) => makeReport(i, metrics));
    this.#layout = new Layout(this.#variants[0]!.bytes);
  }

  get reportBytes(): number {
    return this.#variants[0]!.bytes.length;
  }

  /** One report of each host of a range, of one round. */
  round(round: number, firstHost: number, count: number): Fragment[] {
    return Array.from({ length: count }, (_, i) => this.report((firstHost + i) % this.hosts.length, round));
  }

  /** Some reports of each host of a range, as one that was cut off sends them. */
  catchUp(round: number, rounds: number, firstHost: number, hosts: number): Fragment[] {
    return Array.from({ length: hosts * rounds }, (_, i) =>
      this.report((firstHost + Math.floor(i / rounds)) % this.hosts.length, round + (i % rounds)),
    );
  }

  report(host: number, round: number): Fragment {
    return {
      ...this.#variants[round % variantCount]!,
      hostId: this.hosts[host]!,
      timestampMs: this.startMs + round * intervalMs,
      layout: this.#layout,
    };
  }
}

/** A third each of counters, percentages and measurements of many digits, as machines have them. */
function makeReport(n: number, metrics: number): Fragment {
  const samples = Array.from({ length: metrics }, (_, i): Sample => {
    const labels = i % 5 === 0 ? [{ name: "cpu", value: String(i) }] : [];
    const wave = Math.sin(n / 9 + i);
    const value = [1e6 + 137 * n * (i + 1), Math.round(1e3 * (2 + wave)) / 10, 1e6 * (2 + wave)][i % 3]!;
    return { name: `metric_${i}`, labels, value, kind: i % 3 === 0 ? 2 : 1, flags: 0 };
  });
  return fragmentFromSamples("host", 0, samples);
}
