import { fragmentFromSamples, MemoryStore } from "@mon/store";
import { describe, expect, it } from "vitest";
import { listMetrics } from "../src/index.ts";

async function storeOfMetrics(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await store.open();
  for (const hostId of ["a", "b"]) {
    const samples = ["up", "load", `only_${hostId}`].map((name) => ({
      name,
      labels: [{ name: "zone", value: "1" }],
      kind: 1 as const,
      value: 1,
      flags: 0,
    }));
    await store.write([fragmentFromSamples(hostId, 1, samples)]);
  }
  return store;
}

describe("listing metrics", () => {
  it("gives metrics by name with their series counted", async () => {
    const { metrics, truncated } = await listMetrics(await storeOfMetrics());
    expect(metrics.map(({ name, series }) => [name, series])).toEqual([
      ["load", 2],
      ["only_a", 1],
      ["only_b", 1],
      ["up", 2],
    ]);
    expect(truncated).toBe(false);
  });

  it("takes hosts, a name and matchers", async () => {
    const store = await storeOfMetrics();
    const namesOf = async (request: Parameters<typeof listMetrics>[1]) =>
      (await listMetrics(store, request)).metrics.map(({ name }) => name);
    expect(await namesOf({ hostIds: ["a"] })).toEqual(["load", "only_a", "up"]);
    expect(await namesOf({ name: "up" })).toEqual(["up"]);
    expect(await namesOf({ matchers: [{ label: "__name__", type: "=~", value: "only_.*" }] })).toEqual([
      "only_a",
      "only_b",
    ]);
  });

  it("says when there are more than the limit", async () => {
    const { metrics, truncated } = await listMetrics(await storeOfMetrics(), { limit: 3 });
    expect(metrics.length).toBe(3);
    expect(truncated).toBe(true);
  });

  it("refuses a limit out of range", async () => {
    await expect(listMetrics(await storeOfMetrics(), { limit: 0 })).rejects.toMatchObject({
      code: "QUERY_INVALID",
      field: "limit",
    });
  });
});
