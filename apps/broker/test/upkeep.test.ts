import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type KeptStore, Upkeep } from "../src/upkeep.ts";

const retentionMs = 7 * 86_400_000;
const startMs = Date.parse("2026-01-01T00:00:00Z");
const nothingPacked = { blocks: 0, bytesBefore: 0, bytesAfter: 0 };

beforeEach(() => {
  vi.useFakeTimers({ now: startMs });
});

afterEach(() => {
  vi.useRealTimers();
});

function watched(pack: () => Promise<void> = async () => {}) {
  const calls: string[] = [];
  const store: { -readonly [Method in keyof KeptStore]: KeptStore[Method] } = {
    async trim(beforeMs) {
      calls.push(`trim ${beforeMs - startMs}`);
      return { beforeMs, hostsRemoved: 0, seriesRemoved: 0 };
    },
    async pack(closedBeforeMs) {
      calls.push(`pack ${closedBeforeMs - startMs}`);
      await pack();
      return nothingPacked;
    },
  };
  const logger = pino({ level: "silent" });
  return { calls, store, upkeep: new Upkeep({ store, retentionMs, now: Date.now, logger }) };
}

test("a store is trimmed at once and every five minutes, and packed every minute, ten minutes behind", async () => {
  const { calls, upkeep } = watched();
  upkeep.start();
  await vi.advanceTimersByTimeAsync(120_000);
  expect(calls).toEqual([`trim ${-retentionMs}`, "pack -540000", "pack -480000"]);
  await vi.advanceTimersByTimeAsync(180_000);
  expect(calls.filter((call) => call.startsWith("trim"))).toEqual([
    `trim ${-retentionMs}`,
    `trim ${300_000 - retentionMs}`,
  ]);
  upkeep.stop();
  const before = calls.length;
  await vi.advanceTimersByTimeAsync(600_000);
  expect(calls).toHaveLength(before);
});

test("packings do not pile up behind a slow one, and a failed one is followed by the next", async () => {
  const gate = Promise.withResolvers<void>();
  const { calls, upkeep } = watched(() => gate.promise);
  upkeep.start();
  await vi.advanceTimersByTimeAsync(240_000);
  expect(calls.filter((call) => call.startsWith("pack"))).toHaveLength(1);
  gate.reject(new Error("the disk is full"));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(calls.filter((call) => call.startsWith("pack"))).toHaveLength(2);
  upkeep.stop();
  await upkeep.idle();
});

test("a store is verified a minute after the start and then once a day, beside the rest, until it is stopped", async () => {
  const dayMs = 86_400_000;
  const { calls, store, upkeep } = watched();
  const signals: AbortSignal[] = [];
  const gate = Promise.withResolvers<void>();
  store.verify = async ({ signal } = {}) => {
    signals.push(signal!);
    if (signals.length === 1) await gate.promise;
    throw new Error("the disk is slow");
  };
  upkeep.start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(signals).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(300_000);
  expect(calls).toContain(`trim ${300_000 - retentionMs}`);
  gate.resolve();
  await vi.advanceTimersByTimeAsync(dayMs);
  expect(signals).toHaveLength(2);
  upkeep.stop();
  expect(signals.every(({ aborted }) => aborted)).toBe(true);
  await vi.advanceTimersByTimeAsync(2 * dayMs);
  expect(signals).toHaveLength(2);
  await upkeep.idle();
});
