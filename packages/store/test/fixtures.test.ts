import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeSamples, fragmentFromSamples, fragmentId } from "../src/index.ts";
import { type GoldenFragment, goldenFragments, sampleOfGolden } from "./support/golden-fragments.ts";

const fixture: GoldenFragment[] = JSON.parse(
  readFileSync(new URL("fixtures/fragments.json", import.meta.url), "utf8"),
);

describe("the published fragments", () => {
  it("are what an implementation that shares no code makes of their samples", () => {
    expect(fixture).toEqual(goldenFragments());
  });

  it.each(fixture)("have these bytes and this id: $title", ({ samples, bytes, id }) => {
    const given = samples.map(sampleOfGolden);
    const fragment = fragmentFromSamples("web-1", 1_767_225_600_000, given);
    expect(Buffer.from(fragment.bytes).toString("hex")).toBe(bytes);
    expect(fragmentId(fragment)).toBe(id);
    expect(decodeSamples(Buffer.from(bytes, "hex"))).toHaveLength(samples.length);
  });
});
