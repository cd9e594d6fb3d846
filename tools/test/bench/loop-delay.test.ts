import { expect, test } from "vitest";
import { LoopDelay } from "../../bench/loop-delay.ts";

test("a loop that ticks on time has no delay", () => {
  const delay = new LoopDelay(0, 0);
  for (let ms = 1; ms <= 1_000; ms++) delay.tick(ms, 0);
  expect(delay.read()).toMatchObject({ count: 1_000, stalls: 0, cpuMaxMs: 0 });
  expect(delay.read().maxMs).toBeLessThan(0.01);
});

test("a stall is met by all that was due in it, each by what was left of it", () => {
  const delay = new LoopDelay(0, 0);
  delay.tick(101, 5);
  for (let ms = 102; ms <= 1_000; ms++) delay.tick(ms, 5);
  const { count, maxMs, p999Ms, stalls, cpuMaxMs } = delay.read();
  expect({ count, stalls, cpuMaxMs }).toEqual({ count: 1_000, stalls: 1, cpuMaxMs: 5 });
  expect(maxMs).toBeCloseTo(100, 0);
  // One instant in a thousand was later than that.
  expect(p999Ms).toBeCloseTo(99, 0);
});

test("a tick before anything is due records nothing", () => {
  const delay = new LoopDelay(10, 0);
  delay.tick(10.5, 1);
  expect(delay.read()).toEqual({ count: 0, p999Ms: 0, maxMs: 0, stalls: 0, cpuMaxMs: 1 });
});

test("processor time is that between two ticks, not their sum", () => {
  const delay = new LoopDelay(0, 40);
  delay.tick(1, 43);
  delay.tick(2, 45);
  expect(delay.read().cpuMaxMs).toBe(3);
});
