import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterResult, type CheckState, type CheckStatus, newCheck, worstStatus } from "../../src/index.ts";

function run(statuses: readonly CheckStatus[], thresholds = { successes: 2, failures: 3 }): CheckState {
  return statuses.reduce(
    (check, status, i) =>
      afterResult(check, { checkId: "c", status, atMs: i, durationMs: 1, output: status }, thresholds),
    newCheck,
  );
}

const letters: Record<string, CheckStatus> = { p: "passing", w: "warning", c: "critical" };
const of = (text: string): CheckState => run([...text].map((letter) => letters[letter]!));

describe("a check", () => {
  it.each([
    ["has no status before enough results agree", "", undefined],
    ["has none after one success", "p", undefined],
    ["passes after two", "pp", "passing"],
    ["has none after two failures at first", "cc", undefined],
    ["is critical after three", "ccc", "critical"],
    ["stays passing with two failures", "ppcc", "passing"],
    ["is critical with the third", "ppccc", "critical"],
    ["counts failures in a row only", "ppccpccp", "passing"],
    ["stays critical with one success", "cccp", "critical"],
    ["comes back with two", "cccpp", "passing"],
    ["comes back to what the last one was", "cccpw", "warning"],
    ["warns at once while it passes", "ppw", "warning"],
    ["passes at once while it warns", "ppwp", "passing"],
  ] as const)("%s", (_, results, expected) => {
    expect(of(results).status).toBe(expected);
  });

  it("takes no notice of a result that is older than the last", () => {
    const check = of("pp");
    expect(afterResult(check, { checkId: "c", status: "critical", atMs: 0, durationMs: 1, output: "" })).toBe(
      check,
    );
  });

  it("changes its status exactly when so many results in a row say so", () => {
    const status = fc.constantFrom<CheckStatus>("passing", "critical");
    const thresholds = fc.record({
      successes: fc.integer({ min: 1, max: 5 }),
      failures: fc.integer({ min: 1, max: 5 }),
    });
    fc.assert(
      fc.property(fc.array(status, { maxLength: 40 }), thresholds, (statuses, limits) => {
        // The obvious way: look back from each result.
        let expected: CheckStatus | undefined;
        for (let i = 0; i < statuses.length; i++) {
          const ends = (kind: CheckStatus, n: number): boolean =>
            i + 1 >= n && statuses.slice(i + 1 - n, i + 1).every((each) => each === kind);
          if (ends("critical", limits.failures)) expected = "critical";
          else if (ends("passing", limits.successes)) expected = "passing";
        }
        expect(run(statuses, limits).status).toBe(expected);
      }),
    );
  });

  it("does not flap under noise: isolated failures never show", () => {
    const noise = fc.array(fc.constantFrom("p", "pp", "cp", "ccp"), { minLength: 50, maxLength: 200 });
    fc.assert(
      fc.property(noise, (parts) => {
        expect(of(`pp${parts.join("")}`).status).toBe("passing");
      }),
    );
  });
});

it("the worst check decides", () => {
  expect(worstStatus([])).toBeUndefined();
  expect(worstStatus([of("c"), of("pp")])).toBe("passing");
  expect(worstStatus([of("ccc"), of("pp"), of("ppw")])).toBe("critical");
});
