import { expect, test, vi } from "vitest";
import { Collection } from "../src/collection.ts";
import type { Collector } from "../src/collector.ts";
import { gauge } from "../src/sample.ts";

const works: Collector = { name: "load", collect: () => [gauge("load", 1)] };

function failuresOf(collectors: readonly Collector[]) {
  const told: string[] = [];
  const collection = new Collection(collectors, {
    onFailed: (name, error) => told.push(`${name}: ${error.message}`),
    onRecovered: (name) => told.push(`${name} recovered`),
  });
  return { collection, told };
}

test("a collector that fails is told once, costs only its own samples, and its recovery is told", async () => {
  let isBroken = true;
  const flaky: Collector = {
    name: "disk",
    collect: () => {
      if (isBroken) throw new Error("no such file");
      return [gauge("disk", 2)];
    },
  };
  const { collection, told } = failuresOf([flaky, works]);
  expect(await collection.collect()).toMatchObject([{ name: "load" }]);
  expect(await collection.collect()).toMatchObject([{ name: "load" }]);
  isBroken = false;
  expect(await collection.collect()).toMatchObject([{ name: "disk" }, { name: "load" }]);
  expect(told).toEqual(["disk: no such file", "disk recovered"]);
});

test("a collector that hangs is given up for the round, and not started again meanwhile", async () => {
  vi.useFakeTimers();
  try {
    let starts = 0;
    const hanging: Collector = {
      name: "filesystem",
      collect: () => {
        starts += 1;
        return new Promise(() => {});
      },
    };
    const { collection, told } = failuresOf([hanging, works]);
    const round = collection.collect();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(await round).toMatchObject([{ name: "load" }]);
    expect(await collection.collect()).toMatchObject([{ name: "load" }]);
    expect(starts).toBe(1);
    expect(told).toEqual(["filesystem: expected a reading within 3000 ms"]);
  } finally {
    vi.useRealTimers();
  }
});
