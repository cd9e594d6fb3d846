import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { atOnce, Pace } from "../src/catalogue/turns.ts";
import {
  Catalogue,
  type Fragment,
  fragmentFromSamples,
  type Kind,
  type Label,
  listMetrics,
  type Matcher,
  type MatchType,
  type MetricEntry,
  type Sample,
  type Series,
  type SeriesSelector,
  selectSeries,
  seriesKey,
} from "../src/index.ts";
import { check } from "./support/check.ts";

/** Series of hosts by id and key, as a list that is gone through for each question. */
class Model {
  readonly hosts = new Map<string, Map<string, Series & { lastMs: number }>>();

  observe(hostId: string, timestampMs: number, samples: readonly Sample[]): void {
    const host = this.hosts.get(hostId) ?? new Map<string, Series & { lastMs: number }>();
    this.hosts.set(hostId, host);
    for (const { name, labels, kind } of samples) {
      const key = seriesKey({ name, labels });
      const known = host.get(key);
      host.set(key, {
        name,
        labels,
        kind: Math.min(kind, known?.kind ?? kind) as Kind,
        lastMs: Math.max(timestampMs, known?.lastMs ?? timestampMs),
      });
    }
  }

  trim(beforeMs: number): void {
    for (const [hostId, host] of this.hosts) {
      for (const [key, { lastMs }] of host) if (lastMs < beforeMs) host.delete(key);
      if (host.size === 0) this.hosts.delete(hostId);
    }
  }

  select({ hostIds, matchers = [], range }: SeriesSelector): [hostId: string, series: Series[]][] {
    return [...this.hosts]
      .filter(([hostId]) => hostIds?.includes(hostId) ?? true)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([hostId, host]): [string, Series[]][] => {
        const series = [...host]
          .filter(([, one]) => matchers.every((matcher) => matches(hostId, one, matcher)))
          .filter(([, { lastMs }]) => range === undefined || lastMs >= range.startMs)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, { name, labels, kind }]) => ({ name, labels, kind }));
        return series.length === 0 ? [] : [[hostId, series]];
      });
  }

  metrics(selector: SeriesSelector): MetricEntry[] {
    const all = this.select(selector).flatMap(([, series]) => series);
    return [...Map.groupBy(all, ({ name }) => name)]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, series]) => ({
        name,
        kind: Math.min(...series.map(({ kind }) => kind)) as Kind,
        series: series.length,
        labelNames: [...new Set(series.flatMap(({ labels }) => labels.map((label) => label.name)))].sort(),
      }));
  }
}

function matches(hostId: string, { name, labels }: Series, { label, type, value }: Matcher): boolean {
  const text =
    label === "__host__"
      ? hostId
      : label === "__name__"
        ? name
        : (labels.find((one) => one.name === label)?.value ?? "");
  // The expressions below mean the same to JavaScript and to RE2.
  const holds = type.endsWith("~") ? new RegExp(`^(?:${value})$`, "s").test(text) : text === value;
  return type.startsWith("!") ? !holds : holds;
}

const series: fc.Arbitrary<{ name: string; labels: Label[]; kind: Kind }> = fc
  .record({
    name: fc.constantFrom("cpu", "cpu_total", "disk", "up"),
    labels: fc.dictionary(
      fc.constantFrom("mode", "device", "__name__"),
      fc.constantFrom("", "a", "ab", "b", "c-1", "c-2", "c-33", "é"),
    ),
    kind: fc.constantFrom<Kind>(2, 2, 2, 1),
  })
  .map(({ name, labels, kind }) => ({
    name,
    labels: Object.entries(labels)
      .map(([label, value]) => ({ name: label, value }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    kind,
  }));

const hostIds = ["a", "a-1", "b", "web-1", "web-2"];
const observation = fc.record({
  hostId: fc.constantFrom(...hostIds),
  timestampMs: fc.integer({ min: 1, max: 40 }),
  series: fc.uniqueArray(series, { minLength: 1, maxLength: 6, selector: seriesKey }),
});
const matcher: fc.Arbitrary<Matcher> = fc.record({
  label: fc.constantFrom("__name__", "mode", "device", "absent", "__host__"),
  type: fc.constantFrom<MatchType>("=", "!=", "=~", "!~"),
  value: fc.constantFrom(
    "",
    "a",
    "cpu",
    "web-1",
    "a|b",
    "(cpu|up)",
    "c.*",
    "c.+",
    ".*",
    ".+",
    "c-[0-9]",
    "[abc].*",
    "a?b?",
    "web-.*|b",
    "|a",
  ),
});
const selector: fc.Arbitrary<SeriesSelector> = fc.record(
  {
    hostIds: fc.subarray([...hostIds, "crowd", "nobody"]),
    matchers: fc.array(matcher, { maxLength: 3 }),
    range: fc
      .tuple(fc.integer({ min: 0, max: 45 }), fc.nat(10))
      .map(([startMs, length]) => ({ startMs, endMs: startMs + length })),
  },
  { requiredKeys: [] },
);
const step = fc.oneof(
  { weight: 6, arbitrary: observation },
  { weight: 1, arbitrary: fc.record({ trim: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 4, arbitrary: fc.record({ ask: selector }) },
);

/** Series that make a matching one rare, so that the index goes from series to hosts. */
const crowd = Array.from(
  { length: 300 },
  (_, i): Sample => ({ name: `crowd_${i}`, labels: [], kind: 1, value: 1, flags: 0 }),
);

function samplesOf(given: readonly Series[]): Sample[] {
  return given.map((one) => ({ ...one, value: 1, flags: 0 }));
}

describe("the index of series", () => {
  it.each([0, 300])(
    "answers any question as going through all series does, while series come and go, among %d others",
    (others) => {
      check(
        fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
          const catalogue = new Catalogue();
          const model = new Model();
          const observe = (hostId: string, timestampMs: number, samples: readonly Sample[]): void => {
            catalogue.observe(fragmentFromSamples(hostId, timestampMs, samples));
            model.observe(hostId, timestampMs, samples);
          };
          if (others > 0) observe("crowd", 1_000, crowd.slice(0, others));
          for (const next of steps) {
            if ("trim" in next) {
              catalogue.trim(next.trim);
              model.trim(next.trim);
            } else if ("ask" in next) {
              // A host first seen after the range may be named or not.
              const asked = { ...next.ask };
              if (asked.range !== undefined) asked.range = { ...asked.range, endMs: 1_000 };
              const found = [...selectSeries(catalogue, asked)];
              expect(found.map((one) => [one.hostId, one.series])).toEqual(model.select(asked));
              expect(listMetrics(catalogue, asked)).toEqual(model.metrics(asked));
            } else observe(next.hostId, next.timestampMs, samplesOf(next.series));
          }
          const sizes = [...model.hosts.values()].map((host) => host.size);
          expect(catalogue.series).toBe(sizes.reduce((sum, size) => sum + size, 0));
          const keys = new Set([...model.hosts.values()].flatMap((host) => [...host.keys()]));
          expect(catalogue.table.size).toBe(keys.size);
        }),
        others > 0 ? 60 : 200,
      );
    },
  );

  it("knows its series, hosts and last values by the same names after most have come and gone", () => {
    const catalogue = new Catalogue();
    const model = new Model();
    const report = (hostId: string, timestampMs: number, samples: Sample[]): void => {
      catalogue.observe(fragmentFromSamples(hostId, timestampMs, samples));
      model.observe(hostId, timestampMs, samples);
    };
    const sample = (name: string, pod: string, kind: Kind): Sample => ({
      name,
      labels: [{ name: "pod", value: pod }],
      kind,
      value: Number(pod),
      flags: 0,
    });
    for (let generation = 0; generation < 6; generation++) {
      const timestampMs = 1_000 * (generation + 1);
      for (let host = 0; host < 400; host++) {
        // One in ten hosts stays; the others, and their pods, are new each time.
        const hostId = host % 10 === 0 ? `host-${host}` : `host-${host}-${generation}`;
        const pods = [0, 1, 2].map((pod) =>
          String(host % 10 === 0 && pod === 0 ? host : 1e6 * generation + 3 * host + pod),
        );
        const kind = (generation + host) % 4 === 0 ? 1 : 2;
        report(
          hostId,
          timestampMs,
          pods.map((pod) => sample(`m${host % 7}`, pod, kind)),
        );
      }
      catalogue.trim(timestampMs);
      model.trim(timestampMs);
      const matchers: Matcher[] = [{ label: "pod", type: "=~", value: "[0-9]*1[0-9]" }];
      for (const asked of [{}, { matchers }, { hostIds: ["host-10", "host-20"] }]) {
        const found = [...selectSeries(catalogue, asked)];
        expect(found.map((one) => [one.hostId, one.series])).toEqual(model.select(asked));
        expect(listMetrics(catalogue, asked)).toEqual(model.metrics(asked));
      }
      const samples = catalogue.hostIds().flatMap((hostId) => catalogue.host(hostId)!.latest().samples);
      expect(samples).toHaveLength(catalogue.series);
      for (const { labels, value } of samples)
        expect(labels).toEqual([{ name: "pod", value: String(value) }]);
    }
    expect(catalogue.table.generation).toBeGreaterThan(1);
    expect(catalogue.table.bound).toBeLessThan(4 * catalogue.table.size + 2_000);
  });

  it("finishes an answer with what it is about, though numbers are given anew and hosts go meanwhile", () => {
    const catalogue = new Catalogue();
    const observe = (hostId: string, timestampMs: number, count: number, first: number): void => {
      const samples = Array.from(
        { length: count },
        (_, i): Sample => ({ name: `m${first + i}`, labels: [], kind: 1, value: 1, flags: 0 }),
      );
      catalogue.observe(fragmentFromSamples(hostId, timestampMs, samples));
    };
    observe("a", 1, 4_000, 0);
    observe("b", 2, 4, 10_000);
    observe("c", 1, 4, 20_000);
    observe("d", 2, 4, 30_000);
    const generation = catalogue.table.generation;
    const matchers: Matcher[] = [{ label: "__name__", type: "!=", value: "m10001" }];
    const answer = selectSeries(catalogue, { matchers });
    expect(answer.next().value).toMatchObject({ hostId: "a" });
    catalogue.trim(2);
    expect(catalogue.table.generation).toBe(generation + 1);
    expect([...answer].map(({ hostId, series: own }) => [hostId, own.map(({ name }) => name)])).toEqual([
      ["b", ["m10000", "m10002", "m10003"]],
      ["d", ["m30000", "m30001", "m30002", "m30003"]],
    ]);
  });

  it("knows the smallest kind that a series still has on any host", () => {
    const catalogue = new Catalogue();
    const observe = (hostId: string, timestampMs: number, kind: Kind): void => {
      catalogue.observe(
        fragmentFromSamples(hostId, timestampMs, [{ name: "a", labels: [], kind, value: 1, flags: 0 }]),
      );
    };
    const kind = (): Kind => listMetrics(catalogue, {})[0]!.kind;
    observe("first", 1, 1);
    observe("second", 3, 2);
    expect(kind()).toBe(1);
    catalogue.trim(2);
    expect(kind()).toBe(2);
    observe("third", 2, 1);
    expect(kind()).toBe(1);
    observe("third", 2, 0);
    expect(kind()).toBe(0);
    catalogue.trim(3);
    expect(kind()).toBe(2);
    expect(catalogue.host("second")!.latest().samples).toMatchObject([{ kind: 2 }]);
  });

  it("describes a series once for all hosts that have it", () => {
    const catalogue = new Catalogue();
    const samples = samplesOf([{ name: "cpu", labels: [{ name: "mode", value: "user" }], kind: 2 }]);
    for (const hostId of hostIds) catalogue.observe(fragmentFromSamples(hostId, 1, samples));
    const described = new Set([...selectSeries(catalogue, {})].flatMap((host) => host.series));
    expect(described.size).toBe(1);
    expect([catalogue.series, catalogue.table.size]).toEqual([hostIds.length, 1]);
    const [first, ...others] = hostIds.map((hostId) => catalogue.host(hostId)!.series.numbers().buffer);
    for (const other of others) expect(other).toBe(first);
  });

  it("is not asked when a host repeats a shape", () => {
    const catalogue = new Catalogue();
    const report = (timestampMs: number): Fragment =>
      fragmentFromSamples("h", timestampMs, [
        { name: "a", labels: [{ name: "x", value: "1" }], kind: 1, value: timestampMs, flags: 0 },
      ]);
    catalogue.admit(report(1));
    const asked = [vi.spyOn(catalogue.table, "intern"), vi.spyOn(catalogue.table, "find")];
    for (let i = 2; i < 10; i++) catalogue.admit(report(i));
    for (const spy of asked) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  it("runs an expression for each value of a label at most, however many series there are", () => {
    const catalogue = new Catalogue();
    for (let host = 0; host < 50; host++) {
      const samples = Array.from(
        { length: 60 },
        (_, i): Sample => ({
          name: `m${i}`,
          labels: [{ name: "mode", value: `mode-${i % 3}` }],
          kind: 1,
          value: 1,
          flags: 0,
        }),
      );
      catalogue.observe(fragmentFromSamples(`h${host}`, 1, samples));
    }
    const test = vi.fn((text: string) => text.endsWith("1"));
    const condition = { label: "mode", literals: undefined, isNegated: false, runs: true, test };
    expect(atOnce(catalogue.table.select([condition], new Pace()))).toHaveLength(20);
    // Each of the three values, and the empty one for series without the label.
    expect(test.mock.calls.length).toBeLessThanOrEqual(6);
  });
});
