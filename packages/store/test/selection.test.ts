import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Catalogue,
  fragmentFromSamples,
  listHosts,
  listMetrics,
  type Sample,
  selectSeries,
} from "../src/index.ts";
import { check } from "./support/check.ts";

/** A catalogue of hosts that all have one series of each name. */
function catalogueOf(hostIds: readonly string[], names: readonly string[] = ["a"]): Catalogue {
  const catalogue = new Catalogue();
  const samples = names.map((name): Sample => ({ name, labels: [], kind: 1, value: 1, flags: 0 }));
  for (const [i, hostId] of hostIds.entries()) {
    catalogue.observe(fragmentFromSamples(hostId, 1_000 + i, samples));
  }
  return catalogue;
}

const hostId = fc.stringMatching(/^[ab][ab.-]{0,3}$/);

describe("hosts by page", () => {
  it("are all hosts of a prefix, once each and in order, whatever the size of pages", () => {
    check(
      fc.property(
        fc.uniqueArray(hostId, { maxLength: 20 }),
        fc.constantFrom("", "a", "ab", "b-", "c"),
        fc.integer({ min: 1, max: 7 }),
        (hostIds, prefix, limit) => {
          const catalogue = catalogueOf(hostIds);
          const listed: string[] = [];
          for (;;) {
            const after = listed.at(-1);
            const page = listHosts(catalogue, { prefix, limit, ...(after !== undefined && { after }) });
            expect(page.length).toBeLessThanOrEqual(limit);
            listed.push(...page.map((host) => host.hostId));
            if (page.length < limit) break;
          }
          expect(listed).toEqual(hostIds.filter((id) => id.startsWith(prefix)).sort());
        },
      ),
    );
  });

  it("go on after any text, a host's or not", () => {
    check(
      fc.property(
        fc.uniqueArray(hostId, { maxLength: 20 }),
        fc.string({ maxLength: 3 }),
        fc.constantFrom("", "a", "b"),
        (hostIds, after, prefix) => {
          const page = listHosts(catalogueOf(hostIds), { after, prefix, limit: 100 });
          const expected = hostIds.filter((id) => id > after && id.startsWith(prefix)).sort();
          expect(page.map((host) => host.hostId)).toEqual(expected);
        },
      ),
    );
  });

  it.each([0, -1, 1.5, Number.NaN])("need a size of at least one: not %d", (limit) => {
    expect(() => listHosts(new Catalogue(), { limit })).toThrow(
      new RangeError(`expected a limit of at least 1, got ${limit}`),
    );
  });
});

describe("a selection of series", () => {
  const catalogue = catalogueOf(["b", "a", "c"], ["m", "k"]);

  it("comes host by host in order of id, each asked for once, whatever the order of asking", () => {
    expect([...selectSeries(catalogue, { hostIds: ["c", "a", "c", "nobody"] })]).toEqual(
      ["a", "c"].map((hostId) => ({
        hostId,
        series: ["k", "m"].map((name) => ({ name, labels: [], kind: 1 })),
      })),
    );
  });

  it("leaves out hosts last seen before the range begins, and no host that may have samples in it", () => {
    const from = (startMs: number): string[] =>
      [...selectSeries(catalogue, { range: { startMs, endMs: 2_000 } })].map(({ hostId }) => hostId);
    expect(from(1_001)).toEqual(["a", "c"]);
    expect(from(1_000)).toEqual(["a", "b", "c"]);
    expect(from(1_003)).toEqual([]);
  });

  it("leaves out series last seen before the range whose shape is forgotten, and a trim forgets them", () => {
    const host = new Catalogue();
    for (let program = 0; program < 12; program++) {
      const sample: Sample = { name: `m${program}`, labels: [], kind: 1, value: 1, flags: 0 };
      host.observe(fragmentFromSamples("h", program < 2 ? 1 : 10, [sample]));
    }
    const listed = (): string[] =>
      [...selectSeries(host, { range: { startMs: 5, endMs: 20 } })].flatMap(({ series }) =>
        series.map(({ name }) => name),
      );
    const fresh = listed();
    expect(fresh).toHaveLength(10);
    expect([...host.trim(5).series.values()].flat().sort()).toEqual(["m0", "m1"]);
    expect(listed()).toEqual(fresh);
  });

  it("names a series whose last value is not known, however old the others are", () => {
    const restored = new Catalogue();
    const host = restored.ensureHost("h");
    for (const name of ["a", "b", "c"]) restored.addSeries(host, { name, labels: [], kind: 1 });
    const report = (timestampMs: number, name: string) =>
      fragmentFromSamples("h", timestampMs, [{ name, labels: [], kind: 1, value: 1, flags: 0 }]);
    restored.observe(report(1_000, "a"));
    restored.observe(report(2_000, "b"));
    const names = (startMs: number): string[] =>
      [...selectSeries(restored, { range: { startMs, endMs: 5_000 } })].flatMap(({ series }) =>
        series.map(({ name }) => name),
      );
    expect(names(1_000)).toEqual(["a", "b", "c"]);
    expect(names(1_001)).toEqual(["b", "c"]);
  });

  it("says of a metric how many series it has, its smallest kind and the names of its labels", () => {
    const mixed = new Catalogue();
    const sample = (kind: Sample["kind"], label: string): Sample => ({
      name: "m",
      labels: [{ name: label, value: "1" }],
      kind,
      value: 1,
      flags: 0,
    });
    mixed.observe(fragmentFromSamples("g", 1, [sample(2, "y"), sample(2, "x")]));
    mixed.observe(fragmentFromSamples("h", 1, [sample(1, "x")]));
    expect(listMetrics(mixed, {})).toEqual([{ name: "m", kind: 1, series: 3, labelNames: ["x", "y"] }]);
  });
});
