import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Catalogue,
  compareSamples,
  type Fragment,
  fragmentFromSamples,
  type HostLatest,
  type Kind,
  type LatestSample,
  listMetrics,
  type Sample,
  type Series,
  selectSeries,
  seriesKey,
} from "../src/index.ts";
import { arbitraryBits, arbitraryEdits, valueOfBits } from "./support/arbitrary-samples.ts";
import { check } from "./support/check.ts";

/** A host of the model: every fragment since the last trim that it outlived, folded anew at each question. */
interface ModelHost {
  lastSeenMs: number;
  readonly latest: Map<string, LatestSample>;
  readonly kinds: Map<string, Kind>;
}

/** A catalogue written for its meaning alone. */
class Model {
  readonly hosts = new Map<string, ModelHost>();

  observe(hostId: string, timestampMs: number, samples: readonly Sample[]): Set<string> {
    const host = this.hosts.get(hostId) ?? { lastSeenMs: 0, latest: new Map(), kinds: new Map() };
    this.hosts.set(hostId, host);
    host.lastSeenMs = Math.max(host.lastSeenMs, timestampMs);
    const told = new Set<string>();
    for (const sample of samples) {
      const key = seriesKey(sample);
      const kind = host.kinds.get(key);
      if (kind === undefined || sample.kind < kind) {
        host.kinds.set(key, sample.kind);
        told.add(key);
      }
      const known = host.latest.get(key);
      const order =
        known === undefined ? 1 : timestampMs - known.timestampMs || compareSamples(sample, known);
      if (order > 0) host.latest.set(key, { ...sample, timestampMs });
    }
    return told;
  }

  latest(hostId: string): HostLatest {
    const { lastSeenMs, latest, kinds } = this.hosts.get(hostId)!;
    const samples = [...latest]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, sample]) => ({ ...sample, kind: kinds.get(key)! }));
    return { hostId, lastSeenMs, samples };
  }

  trim(beforeMs: number): { hosts: string[]; series: Map<string, string[]> } {
    const removed = { hosts: [] as string[], series: new Map<string, string[]>() };
    for (const [hostId, { latest, kinds }] of this.hosts) {
      const stale = [...latest].filter(([, { timestampMs }]) => timestampMs < beforeMs).map(([key]) => key);
      for (const key of stale) {
        latest.delete(key);
        kinds.delete(key);
      }
      if (stale.length > 0) removed.series.set(hostId, stale.sort());
      if (stale.length === 0 || latest.size > 0) continue;
      this.hosts.delete(hostId);
      removed.hosts.push(hostId);
    }
    return removed;
  }
}

/** Twelve programs a host, more than shapes are remembered, whose reports share series. */
const programs = Array.from({ length: 12 }, (_, program) => [
  "shared",
  `own_${program}`,
  `pair_${program >> 1}`,
]);

/** A report of a program: a value, flags and a kind for each of its three series. */
interface Step {
  readonly hostId: string;
  readonly timestampMs: number;
  readonly program: number;
  readonly parts: readonly { readonly bits: bigint; readonly flags: number; readonly kind: Kind }[];
}

const observation: fc.Arbitrary<Step> = fc.record({
  hostId: fc.constantFrom("g", "h"),
  timestampMs: fc.integer({ min: 1, max: 30 }),
  program: fc.nat(programs.length - 1),
  parts: fc.array(
    fc.record({
      bits: fc.oneof(arbitraryBits, fc.constantFrom(0n, 0x3ff0000000000000n, 0x4000000000000000n)),
      flags: fc.constantFrom(0, 0, 0, 1, 200),
      kind: fc.constantFrom<Kind>(2, 2, 2, 2, 1, 0),
    }),
    { minLength: 3, maxLength: 3 },
  ),
});

const steps = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: observation },
    { weight: 1, arbitrary: fc.record({ trim: fc.integer({ min: 1, max: 31 }) }) },
  ),
  { maxLength: 80, size: "max" },
);

function samplesOf({ program, parts }: Step): Sample[] {
  return programs[program]!.map((name, i): Sample => {
    const { bits, flags, kind } = parts[i]!;
    return { name, labels: [], kind, flags, ...valueOfBits(bits) };
  });
}

const keysOf = (series: readonly Series[]): Set<string> => new Set(series.map(seriesKey));

describe("a catalogue", () => {
  it("forgets hosts as if they had never been, and leaves the others alone", () => {
    const report = (hostId: string, ...names: string[]): Fragment =>
      fragmentFromSamples(
        hostId,
        10,
        names.map((name) => ({ name, labels: [], kind: 1, value: 1, flags: 0 })),
      );
    const catalogue = new Catalogue();
    const expected = new Catalogue();
    for (let i = 0; i < 3_000; i++) catalogue.observe(report(`gone-${i}`, "shared", `own_${i}`));
    for (const each of [catalogue, expected]) each.observe(report("kept", "shared", "own"));
    catalogue.forget(["no-such-host", ...Array.from({ length: 3_000 }, (_, i) => `gone-${i}`)]);
    for (const each of [catalogue, expected]) each.observe(report("gone-7", "shared", "new"));
    const told = (each: Catalogue): unknown => [
      each.hosts,
      each.series,
      each.hostIds(),
      [...selectSeries(each, {})],
      listMetrics(each, {}),
      each.hostIds().map((hostId) => each.host(hostId)!.latest()),
    ];
    expect(told(catalogue)).toEqual(told(expected));
    expect(catalogue.table.size).toBe(3);
  });

  it("knows hosts, series and last values as if it kept every sample, in any order of time, across trims", () => {
    check(
      fc.property(steps, (history) => {
        const catalogue = new Catalogue();
        const model = new Model();
        for (const step of history) {
          if ("trim" in step) {
            const { hosts, series } = catalogue.trim(step.trim);
            const sorted = new Map([...series].map(([hostId, keys]) => [hostId, keys.toSorted()]));
            expect({ hosts, series: sorted }).toEqual(model.trim(step.trim));
          } else {
            const samples = samplesOf(step);
            const fragment = fragmentFromSamples(step.hostId, step.timestampMs, samples);
            const { host, newSeries } = catalogue.observe(fragment);
            const told = model.observe(step.hostId, step.timestampMs, samples);
            expect(host.hostId).toBe(step.hostId);
            expect(keysOf(newSeries)).toEqual(told);
          }
          expect(catalogue.hostIds()).toEqual([...model.hosts.keys()].sort());
          for (const hostId of model.hosts.keys()) {
            const host = catalogue.host(hostId)!;
            expect(host.latest()).toEqual(model.latest(hostId));
            const kinds = new Map([...host.series].map((series) => [seriesKey(series), series.kind]));
            expect(kinds).toEqual(model.hosts.get(hostId)!.kinds);
          }
          const sizes = [...model.hosts.values()].map(({ kinds }) => kinds.size);
          expect(catalogue.hosts).toBe(sizes.length);
          expect(catalogue.series).toBe(sizes.reduce((sum, size) => sum + size, 0));
        }
      }),
      150,
    );
  });

  it("ends with the same last values whatever the order in which fragments came (R19)", () => {
    const histories = fc
      .array(observation, { maxLength: 40, size: "max" })
      .chain((history) =>
        fc.tuple(
          fc.constant(history),
          fc.shuffledSubarray([...history, ...history], { minLength: 2 * history.length }),
        ),
      );
    const latestAfter = (history: readonly Step[]): unknown => {
      const catalogue = new Catalogue();
      for (const step of history)
        catalogue.observe(fragmentFromSamples(step.hostId, step.timestampMs, samplesOf(step)));
      return catalogue.hostIds().map((hostId) => catalogue.host(hostId)!.latest());
    };
    check(
      fc.property(histories, ([history, shuffled]) => {
        expect(latestAfter(shuffled)).toEqual(latestAfter(history));
      }),
      150,
    );
  });

  it("remembers eight shapes of a host and settles the last values of the rest", () => {
    const catalogue = new Catalogue();
    for (let i = 0; i < 100; i++) {
      const sample: Sample = { name: `m${i}`, labels: [], kind: 1, value: i, flags: 0 };
      catalogue.observe(fragmentFromSamples("h", 1_000 + i, [sample]));
    }
    const host = catalogue.host("h")!;
    expect(host.shapes).toHaveLength(8);
    expect(host.settled.size).toBe(92);
    expect(host.latest().samples).toHaveLength(100);
  });

  it("keeps the bytes that it observes, not a copy, until their shape takes newer ones or is detached", () => {
    const catalogue = new Catalogue();
    const report = (timestampMs: number, value: number): Fragment =>
      fragmentFromSamples("h", timestampMs, [{ name: "a", labels: [], kind: 1, value, flags: 0 }]);
    const fragments = [report(1, 1), report(2, 2), report(2, 3), report(3, -0), report(3, -1)];
    const newest = () => catalogue.host("h")!.shapes[0]!;
    const expectValue = (value: number): void =>
      expect(catalogue.host("h")!.latest().samples).toMatchObject([{ name: "a", value }]);
    catalogue.observe(fragments[0]!);
    expect(newest().bytes).toBe(fragments[0]!.bytes);
    catalogue.observe(fragments[1]!);
    expect(newest().bytes).toBe(fragments[1]!.bytes);
    // Two of one instant are folded into bytes of their own.
    catalogue.observe(fragments[2]!);
    fragments[2]!.bytes.fill(0xff);
    expectValue(3);
    catalogue.observe(fragments[3]!);
    newest().detach();
    fragments[3]!.bytes.fill(0xff);
    expectValue(-0);
    catalogue.observe(fragments[4]!);
    fragments[4]!.bytes.fill(0xff);
    expectValue(-0);
  });

  it.each([1, 2, 3, 4])(
    "tells a kind that differs in the last byte, in fragments of every length: %i",
    (length) => {
      const catalogue = new Catalogue();
      const report = (timestampMs: number, kind: Kind): Fragment =>
        fragmentFromSamples("h", timestampMs, [
          { name: "m".repeat(length), labels: [], kind, value: 1, flags: 0 },
        ]);
      catalogue.observe(report(1, 2));
      expect(catalogue.observe(report(2, 2)).newSeries).toEqual([]);
      expect(catalogue.observe(report(3, 1)).newSeries).toMatchObject([{ kind: 1 }]);
    },
  );

  it("refuses a value of +0 that is written out, though all else is as it knows it", () => {
    const catalogue = new Catalogue();
    for (const [timestampMs, value] of [
      [1, 1],
      [2, -0],
      [3, 2 ** -1074],
    ] as const) {
      catalogue.observe(
        fragmentFromSamples("h", timestampMs, [{ name: "a", labels: [], kind: 1, value, flags: 0 }]),
      );
    }
    expect(observes(catalogue, spelledOutZero)).toBe(false);
    expect(catalogue.host("h")!.latest()).toMatchObject({
      lastSeenMs: 3,
      samples: [{ value: 2 ** -1074, timestampMs: 3 }],
    });
  });

  it("changes nothing for bytes that are no fragment, of a host and a shape that it knows or not", () => {
    const catalogue = new Catalogue();
    const samples: Sample[] = ["a", "b"].map((name) => ({ name, labels: [], kind: 1, value: 1, flags: 1 }));
    const good = fragmentFromSamples("h", 10, samples);
    catalogue.observe(good);
    const before = catalogue.host("h")!.latest();
    let refused = 0;
    check(
      fc.property(arbitraryEdits, fc.constantFrom("h", "new"), (edits, hostId) => {
        const bytes = edits.reduce((given, edit) => edit(given), good.bytes);
        const twin = new Catalogue();
        const isFragment = observes(twin, { ...good, bytes });
        if (isFragment) return;
        refused++;
        expect(twin.hostIds()).toEqual([]);
        expect(observes(catalogue, { ...good, hostId, timestampMs: 20, bytes })).toBe(false);
        expect(catalogue.hostIds()).toEqual(["h"]);
        expect(catalogue.host("h")!.latest()).toEqual(before);
      }),
      1_000,
    );
    expect(refused).toBeGreaterThan(300);
  });

  it("admits what is left of a fragment as one of its own, with the id of what it holds", () => {
    const catalogue = new Catalogue({ maxSeriesPerHost: 2 });
    const samples = ["a", "b", "c"].map(
      (name): Sample => ({ name, labels: [], kind: 1, value: 1, flags: 0 }),
    );
    const { fragment, refusedSamples, newSeries } = catalogue.admit(fragmentFromSamples("h", 1, samples));
    expect(fragment).toEqual(fragmentFromSamples("h", 1, samples.slice(0, 2)));
    expect(refusedSamples).toEqual([2]);
    expect(keysOf(newSeries)).toEqual(new Set(["a", "b"]));
    expect(catalogue.admit(fragmentFromSamples("h", 2, samples.slice(2)))).toMatchObject({
      fragment: undefined,
      refusedSamples: [0],
      newSeries: [],
    });
    expect(catalogue.host("h")!.lastSeenMs).toBe(1);
    expect(catalogue.seriesOverLimit).toBe(0);
  });

  it("admits a fragment that has room to the last series as it is", () => {
    const catalogue = new Catalogue({ maxSeriesPerHost: 2 });
    const samples = ["a", "b"].map((name): Sample => ({ name, labels: [], kind: 1, value: 1, flags: 0 }));
    for (const timestampMs of [1, 2]) {
      const whole = fragmentFromSamples("h", timestampMs, samples);
      expect(catalogue.admit(whole).fragment).toBe(whole);
    }
  });

  it.each([0, -1, 1.5, Number.NaN])("needs room for one series of a host: not %d", (maxSeriesPerHost) => {
    expect(() => new Catalogue({ maxSeriesPerHost })).toThrow(
      new RangeError(`expected maxSeriesPerHost to be at least 1, got ${maxSeriesPerHost}`),
    );
  });

  it("is restored from series and shapes, in any order, and knows no first instant then", () => {
    const samples = ["a", "b"].map((name): Sample => ({ name, labels: [], kind: 1, value: 5, flags: 0 }));
    const { bytes } = fragmentFromSamples("h", 10, samples);
    for (const shapeFirst of [true, false]) {
      const catalogue = new Catalogue();
      const host = catalogue.ensureHost("h");
      if (shapeFirst) catalogue.addShape(host, 10, bytes);
      for (const { name, labels } of samples) catalogue.addSeries(host, { name, labels, kind: 0 });
      if (!shapeFirst) catalogue.addShape(host, 10, bytes);
      expect(catalogue.series).toBe(2);
      expect(host.firstSeenMs).toBe(Number.NEGATIVE_INFINITY);
      expect(host.latest().samples).toMatchObject(
        samples.map((sample) => ({ ...sample, kind: 0, timestampMs: 10 })),
      );
      expect(catalogue.observe(fragmentFromSamples("h", 11, samples)).newSeries).toEqual([]);
    }
  });
});

/** A fragment of one series whose value is written out, though it is +0. */
const spelledOutZero = fragmentFromSamples("h", 20, [{ name: "a", labels: [], kind: 1, value: 1, flags: 0 }]);
spelledOutZero.bytes.fill(0, 6, 14);

function observes(catalogue: Catalogue, fragment: Fragment): boolean {
  try {
    catalogue.observe(fragment);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: "StoreError", code: "STORE_FRAGMENT_INVALID" });
    return false;
  }
}
