import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HOSTS_MAX, hashFromState, INITIAL_STATE, stateFromHash } from "../src/page-state.ts";

const seed = process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) };

describe("the page's state in the URL", () => {
  it("survives the way there and back", () => {
    const state = fc.record({
      hosts: fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/), { maxLength: HOSTS_MAX }),
      metric: fc.string(),
      series: fc.string(),
      range: fc.constantFrom("5m", "15m", "1h", "6h", "24h"),
      search: fc.string({ unit: "grapheme" }),
      sort: fc.record({ column: fc.constantFrom("host", "seen", "cpu", "series"), descending: fc.boolean() }),
    });
    fc.assert(
      fc.property(state, (each) => {
        expect(stateFromHash(hashFromState(each as never))).toEqual(each);
      }),
      seed,
    );
  });

  it("is readable", () => {
    const state = { ...INITIAL_STATE, hosts: ["web-1", "web-2"], range: "1h" as const };
    expect(hashFromState(state)).toBe("#hosts=web-1,web-2&range=1h");
  });

  it("leaves the URL alone when there is nothing to say", () => {
    expect(hashFromState(INITIAL_STATE)).toBe("");
  });

  it("forgives what makes no sense", () => {
    expect(stateFromHash("#hosts=../x,web-1,web-1&range=7y&sort=colour:desc&what=this")).toEqual({
      ...INITIAL_STATE,
      hosts: ["web-1"],
    });
  });
});
