import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileMatchers, type Matcher, type MatchType, matcherLimits } from "../src/index.ts";
import { check } from "./support/check.ts";

const series = {
  name: "node_cpu_seconds_total",
  labels: [
    { name: "cpu", value: "0" },
    { name: "mode", value: "user" },
  ],
};

function matches(label: string, type: MatchType, value: string, of = series): boolean {
  const compiled = compileMatchers([{ label, type, value }]);
  return compiled.matchesSeries(of);
}

describe("matchers", () => {
  it.each<[label: string, type: MatchType, value: string, expected: boolean]>([
    ["mode", "=", "user", true],
    ["mode", "=", "use", false],
    ["mode", "!=", "user", false],
    ["mode", "!=", "idle", true],
    ["mode", "=~", "user|system", true],
    ["mode", "=~", "us.*", true],
    ["mode", "!~", "us.*", false],
    ["mode", "!~", "idle", true],
    ["__name__", "=", "node_cpu_seconds_total", true],
    ["__name__", "=~", "node_(cpu|disk)_.+", true],
    ["__name__", "!~", "up", true],
  ])("compare labels and names: {%s%s%j} is %s", (label, type, value, expected) => {
    expect(matches(label, type, value)).toBe(expected);
  });

  it("compare a label that a series does not have as the empty text", () => {
    expect(matches("device", "=", "")).toBe(true);
    expect(matches("device", "=~", ".*")).toBe(true);
    expect(matches("device", "=~", "sda|")).toBe(true);
    expect(matches("device", "!=", "")).toBe(false);
    expect(matches("device", "=~", ".+")).toBe(false);
    expect(matches("device", "!~", ".+")).toBe(true);
    expect(matches("mode", "=", "")).toBe(false);
  });

  it.each([
    ["a part", "se", false],
    ["a part with anchors of its own", "^se$", false],
    ["alternatives of which one is a part", "us|zzz", false],
    ["the whole with anchors of its own", "^user$", true],
  ])("match whole values only: %s", (_what, value, expected) => {
    expect(matches("mode", "=~", value)).toBe(expected);
  });

  it("let a dot stand for a line break, and a flag in the expression change case", () => {
    const of = { name: "a", labels: [{ name: "x", value: "One\ntwo" }] };
    expect(matches("x", "=~", "One.two", of)).toBe(true);
    expect(matches("x", "=~", "(?i)ONE\\ntwo", of)).toBe(true);
    expect(matches("x", "=~", "\\pL+\\s\\pL+", of)).toBe(true);
  });

  it("keep conditions on the host apart", () => {
    const compiled = compileMatchers([
      { label: "__host__", type: "=~", value: "web-.*" },
      { label: "__host__", type: "!=", value: "web-2" },
      { label: "mode", type: "=", value: "user" },
    ]);
    expect(["web-1", "web-2", "db-1"].map((hostId) => compiled.matchesHost(hostId))).toEqual([
      true,
      false,
      false,
    ]);
    expect(compiled.matchesSeries(series)).toBe(true);
  });

  it("must all hold", () => {
    const condition = fc.record<Matcher>({
      label: fc.constantFrom("cpu", "mode", "device", "__name__"),
      type: fc.constantFrom<MatchType>("=", "!=", "=~", "!~"),
      value: fc.constantFrom("0", "user", "", ".*", "us.r", series.name),
    });
    check(
      fc.property(fc.array(condition, { maxLength: 5 }), (matchers) => {
        const each = matchers.map(({ label, type, value }) => matches(label, type, value));
        expect(compileMatchers(matchers).matchesSeries(series)).toBe(each.every(Boolean));
      }),
    );
  });

  it.each([
    ["an expression that is none", "("],
    ["a look-ahead, which RE2 does not have", "(?=a)"],
    ["a back-reference, which RE2 does not have", "(a)\\1"],
    ["a repeat beyond RE2's limit", "a{1001}"],
    ["repeats of repeats that grow beyond all bounds", "((a{100}){100}){100}"],
  ])("refuse %s, naming it", (_what, value) => {
    const compile = (): unknown => compileMatchers([{ label: "mode", type: "=~", value }]);
    expect(compile).toThrow(expect.objectContaining({ code: "STORE_MATCHER_INVALID" }));
    expect(compile).toThrow(`expected a regular expression of RE2 for mode, got ${value}: `);
  });

  it("refuse a type that is none", () => {
    // A caller without types may send it.
    const type = "<" as MatchType;
    expect(() => matches("mode", type, "a")).toThrow(
      expect.objectContaining({
        code: "STORE_MATCHER_INVALID",
        message: "expected =, !=, =~ or !~ for mode, got <",
      }),
    );
  });

  it("refuse more conditions, and longer ones, than their limits", () => {
    const matcher: Matcher = { label: "mode", type: "=", value: "user" };
    const many = (count: number): Matcher[] => Array.from({ length: count }, () => matcher);
    const long = (length: number): Matcher[] => [{ ...matcher, value: "a".repeat(length) }];
    expect(compileMatchers(many(matcherLimits.matchers)).matchesSeries(series)).toBe(true);
    expect(compileMatchers(long(matcherLimits.valueLength)).matchesSeries(series)).toBe(false);
    for (const [matchers, message] of [
      [many(matcherLimits.matchers + 1), "expected at most 65 matchers, got 66"],
      [long(matcherLimits.valueLength + 1), "expected a value of at most 4096 characters for mode, got 4097"],
    ] as const) {
      expect(() => compileMatchers(matchers)).toThrow(
        expect.objectContaining({ code: "STORE_MATCHER_INVALID", message }),
      );
    }
  });

  it("answer a pattern that takes a backtracking engine for ever in time linear in the value", () => {
    const of = (length: number): typeof series => ({
      name: "a",
      labels: [{ name: "x", value: `${"a".repeat(length)}!` }],
    });
    const compiled = compileMatchers([{ label: "x", type: "=~", value: "(a+)+|(a|a)*|(a*)*b" }]);
    const started = performance.now();
    expect(compiled.matchesSeries(of(2_048))).toBe(false);
    // Backtracking takes 2^2048 steps, so that any bound tells the difference.
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
