import { expect, test } from "vitest";
import { PackingLog } from "../../bench/packing-log.ts";

const packed = (blocks: number) => ({
  msg: "packed closed blocks",
  blocks,
  bytesBefore: blocks * 10,
  bytesAfter: blocks,
});

test("packing is over with the first round that began when all was loaded", async () => {
  const log = new PackingLog();
  log.serving(0);
  expect([log.isPacking(59_999), log.isPacking(60_000)]).toEqual([false, true]);
  const all = log.loaded(100_000);
  // It began at 60 s, before the last was loaded; the next one begins at 180 s.
  log.take(packed(5), 130_000);
  expect([log.isPacking(130_001), log.isPacking(180_000)]).toEqual([false, true]);
  log.take({ msg: "serving" }, 181_000);
  log.take(packed(3), 190_000);
  expect(await all).toEqual({ rounds: 2, blocks: 8, bytesBefore: 80, bytesAfter: 8, seconds: 80 });
  expect(log.isPacking(240_000)).toBe(false);
});

test("a round that fails ends it, with the reason", async () => {
  const log = new PackingLog();
  log.serving(0);
  const all = log.loaded(10_000);
  log.take({ msg: "could not pack closed blocks", err: { message: "no room" } }, 61_000);
  expect(await all).toMatchObject({ blocks: 0, problem: "no room" });
});

test("a broker may begin to pack every minute from when it serves, the first one excepted", () => {
  const log = new PackingLog();
  log.serving(500);
  expect([0, 60_500, 60_501].map((ms) => log.nextMs(ms))).toEqual([60_500, 60_500, 120_500]);
});
