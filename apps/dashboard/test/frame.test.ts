import { create } from "@bufbuild/protobuf";
import { type SeriesValues, SeriesValuesSchema } from "@mon/proto";
import { describe, expect, it } from "vitest";
import { frameOfSeries, frameOfVital, gridSeconds, LINES_MAX, markGaps, summarise } from "../src/frame.ts";
import { VITALS } from "../src/vital.ts";

const grid = { startMs: 1_000_000, endMs: 1_004_000, stepMs: 1_000 };

function piece(
  hostId: string,
  labels: Record<string, string>,
  first: number,
  values: number[],
): SeriesValues {
  return create(SeriesValuesSchema, {
    series: {
      hostId,
      name: "system_cpu_utilization_ratio",
      labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
    },
    baseMs: BigInt(grid.startMs + first * grid.stepMs),
    offsetsMs: values.map((_, index) => index * grid.stepMs),
    values,
  });
}

describe("a frame", () => {
  it("puts the pieces of a series together on the grid", () => {
    const frame = frameOfSeries([piece("a", {}, 0, [1, 2]), piece("a", {}, 2, [3, 4, 5])], grid);
    expect(frame.lines).toEqual([{ hostId: "a", name: "", values: [1, 2, 3, 4, 5] }]);
    expect(gridSeconds(grid)).toEqual([1_000, 1_001, 1_002, 1_003, 1_004]);
  });

  it("names lines by the labels that tell them apart", () => {
    const frame = frameOfSeries(
      [piece("a", { zone: "x", mode: "user" }, 0, [1]), piece("a", { zone: "x", mode: "idle" }, 0, [2])],
      grid,
    );
    expect(frame.lines.map(({ name }) => name)).toEqual(["user", "idle"]);
  });

  it("keeps series whose labels contain a text", () => {
    const pieces = [piece("a", { mode: "user" }, 0, [1]), piece("a", { mode: "idle" }, 0, [2])];
    expect(frameOfSeries(pieces, grid, "MODE=id").lines.map(({ name }) => name)).toEqual(["idle"]);
  });

  it("keeps the lines with the highest last values when there are too many, and says how many it left out", () => {
    const pieces = Array.from({ length: LINES_MAX + 3 }, (_, index) =>
      piece("a", { n: String(index) }, 0, [index]),
    );
    const frame = frameOfSeries(pieces, grid);
    expect(frame.omitted).toBe(3);
    expect(frame.lines.map(({ name }) => name)).toEqual(
      Array.from({ length: LINES_MAX }, (_, index) => String(index + 3)),
    );
  });

  it("has one line of a vital for each host, in the order of the hosts", () => {
    const frame = frameOfVital(
      VITALS.cpu,
      [piece("a", { cpu_mode: "busy" }, 0, [0.1]), piece("b", { cpu_mode: "busy" }, 0, [0.2])],
      ["b", "a", "c"],
      grid,
    );
    expect(frame.lines.map(({ hostId, values }) => [hostId, values[0]])).toEqual([
      ["b", 0.2],
      ["a", 0.1],
    ]);
  });
});

describe("gaps", () => {
  it("are drawn across when they are no longer than three times the usual distance", () => {
    expect(markGaps([1, undefined, 2, undefined, 3])).toEqual([1, undefined, 2, undefined, 3]);
  });

  it("are shown when they are longer", () => {
    const values = [1, 2, 3, undefined, undefined, undefined, 4, 5];
    expect(markGaps(values)).toEqual([1, 2, 3, null, null, null, 4, 5]);
  });
});

it("a legend says last, least, mean and greatest", () => {
  expect(summarise([undefined, 1, null, 3, undefined])).toEqual({
    last: 3,
    lastIndex: 3,
    min: 1,
    mean: 2,
    max: 3,
  });
  expect(summarise([undefined]).last).toBeUndefined();
});
