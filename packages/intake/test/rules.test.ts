import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Batcher, defaultBatcherOptions, Intake, type RangeRule } from "../src/index.ts";
import { RangeRules, resolveRules } from "../src/rules.ts";
import { check } from "./support/check.ts";
import { GatedStore } from "./support/gated-store.ts";
import { VirtualClock } from "./support/virtual-clock.ts";

const rule = (metric: string, parts: Partial<RangeRule> = {}): RangeRule => ({
  metric,
  action: "drop",
  ...parts,
});

describe("a range rule", () => {
  it.each([
    ["cpu", "cpu", true],
    ["cpu", "cpu_total", false],
    ["cp?", "cpu", true],
    ["cp?", "cp", false],
    ["cp?", "cpuu", false],
    ["???", "cpu", true],
    ["?*", "c", true],
    ["?*", "", false],
    ["*", "", true],
    ["disk_*_bytes", "disk_read_bytes", true],
    ["disk_*_bytes", "disk_bytes", false],
    ["*_total", "a_total_total", true],
    ["a.b", "a:b", false],
    ["(a|b)", "a", false],
    ["[a]", "a", false],
    ["a+", "aa", false],
  ])("with the pattern %s, asked for the metric %s, holds: %s", (metric, name, expected) => {
    expect(new RangeRules([rule(metric)]).find(name) !== undefined).toBe(expected);
  });

  it("names what an expression of the same meaning matches", () => {
    const text = (characters: string): fc.Arbitrary<string> =>
      fc.array(fc.constantFrom(...characters), { maxLength: 8 }).map((all) => all.join(""));
    check(
      fc.property(text("ab*?."), text("ab."), (metric, name) => {
        const expression = metric.replaceAll(".", "\\.").replaceAll("?", ".").replaceAll(/\*+/g, ".*");
        const isNamed = new RangeRules([rule(metric)]).find(name) !== undefined;
        expect(isNamed).toBe(new RegExp(`^${expression}$`).test(name));
      }),
      5_000,
    );
  });

  it("is found in time linear in the name, whatever its pattern", () => {
    const rules = new RangeRules([rule(`${"*a".repeat(30)}*b`)]);
    const started = performance.now();
    expect(rules.find("a".repeat(1_024))).toBeUndefined();
    // An engine that tries every split of the name takes longer than there is time.
    expect(performance.now() - started).toBeLessThan(2_000);
  });

  it("gives way to one that stands before it", () => {
    const rules = new RangeRules([
      rule("disk_read_*", { max: 1 }),
      rule("disk_*", { max: 2 }),
      rule("*", { max: 3 }),
    ]);
    expect(["disk_read_a", "disk_a", "a", "disk_read_a"].map((name) => rules.find(name)?.max)).toEqual([
      1, 2, 3, 1,
    ]);
  });

  it("is found for more names than are remembered", () => {
    const rules = new RangeRules([rule("m?0", { max: 1 })]);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 10_500; i++) {
        const name = `m${String(i)}`;
        expect(rules.find(name)?.max).toBe(/^m.0$/.test(name) ? 1 : undefined);
      }
    }
  });
});

describe("rules", () => {
  it.each([
    [{ behindMs: 0 }, "expected behindMs to be an integer from 1 to 9007199254740991, got 0"],
    [{ aheadMs: -1 }, "expected aheadMs to be an integer from 0 to 9007199254740991, got -1"],
    [{ samplesMax: 0 }, "expected samplesMax to be an integer from 1 to 1000000, got 0"],
    [{ labelsMax: 1.5 }, "expected labelsMax to be an integer from 0 to 1000, got 1.5"],
    [{ nameBytesMax: Number.NaN }, "expected nameBytesMax to be an integer from 1 to 65536, got NaN"],
    [
      { labelValueBytesMax: 65_537 },
      "expected labelValueBytesMax to be an integer from 0 to 65536, got 65537",
    ],
    [{ names: "escape" }, 'expected names to be "translate" or "reject", got "escape"'],
    [{ nan: "drop" }, 'expected nan to be "reject" or "keep", got "drop"'],
    [{ infinite: "" }, 'expected infinite to be "reject" or "keep", got ""'],
    [{ ranges: [rule("a"), rule("")] }, "expected ranges[1].metric to name a metric, got an empty text"],
    [
      { ranges: [rule("a", { min: 2, max: 1 })] },
      "expected ranges[0].min to be at most ranges[0].max, got 2 and 1",
    ],
    [
      { ranges: [{ metric: "a", action: "keep" }] },
      'expected ranges[0].action to be "drop" or "mark", got "keep"',
    ],
  ])("out of range are refused by name: %j", (rules, message) => {
    // Callers without types may send any of these.
    expect(() => resolveRules(rules as Parameters<typeof resolveRules>[0])).toThrow(new RangeError(message));
  });

  it.each([
    [{ batchReportsMax: 0 }, "expected batchReportsMax to be an integer from 1 to 1000000, got 0"],
    [{ batchBytesMax: 0 }, "expected batchBytesMax to be an integer from 1 to 1073741824, got 0"],
    [{ flushesInFlightMax: 0 }, "expected flushesInFlightMax to be an integer from 1 to 1000, got 0"],
    [{ lingerMs: -1 }, "expected lingerMs to be an integer from 0 to 2147483647, got -1"],
    [{ flushTimeoutMs: 0 }, "expected flushTimeoutMs to be an integer from 1 to 2147483647, got 0"],
    [{ layoutBytesMax: 0.5 }, "expected layoutBytesMax to be an integer from 0 to 9007199254740991, got 0.5"],
    [{ dedupBytesMax: -1 }, "expected dedupBytesMax to be an integer from 0 to 9007199254740991, got -1"],
    [{ rules: { labelsMax: -1 } }, "expected labelsMax to be an integer from 0 to 1000, got -1"],
  ])("of an intake that are out of range are refused by name: %j", (options, message) => {
    const deps = { store: new GatedStore(), clock: new VirtualClock() };
    expect(() => new Intake(deps, options)).toThrow(new RangeError(message));
  });

  it("of a batcher are checked when it stands alone, too", () => {
    const options = { ...defaultBatcherOptions, batchReportsMax: 0 };
    expect(() => new Batcher(async () => [], new VirtualClock(), options)).toThrow(RangeError);
  });
});
