import { blockStart, type Fragment, fragmentFromSamples, Kind, MemoryStore } from "@mon/store";
import { expect, it } from "vitest";

it("removes exactly the fragments that are named, and not their neighbours", async () => {
  await using store = new MemoryStore();
  await store.open();
  const at = blockStart("web-1", 1_700_000_000_000) + 1_000;
  const [first, second, third] = [0, 0, 1].map((laterMs, value) => {
    const sample = { name: "up", labels: [], kind: Kind.gauge, value, flags: 0 };
    return fragmentFromSamples("web-1", at + laterMs, [sample]);
  }) as [Fragment, Fragment, Fragment];
  await store.write([first, second]);
  const partition = { hostId: "web-1", blockStartMs: at - 1_000 };
  expect(await store.removeFragments(partition, [first, third])).toEqual({ removed: 1, left: 1 });
  for await (const { idLow } of store.exportPartition(partition)) expect(idLow).toBe(second.idLow);
  expect(await store.removeFragments(partition, [second])).toEqual({ removed: 1, left: 0 });
  for await (const { hostId } of store.partitions())
    expect.fail(`expected no partition, got one of ${hostId}`);
  expect(await store.removeFragments(partition, [second])).toEqual({ removed: 0, left: 0 });
  expect(await store.stats()).toMatchObject({ bytes: 0 });
});
