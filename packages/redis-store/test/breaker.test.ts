import { expect, test } from "vitest";
import { Breaker } from "../src/servers/breaker.ts";

const options = { failures: 3, openMs: 1000 };

test("it opens after failures in a row, not after as many with a success between", () => {
  const breaker = new Breaker(options);
  for (const _ of [1, 2]) breaker.failed(0);
  breaker.succeeded();
  for (const _ of [1, 2]) breaker.failed(0);
  expect(breaker.state(0)).toBe("closed");
  expect(breaker.allows(0)).toBe(true);
  breaker.failed(0);
  expect(breaker.state(0)).toBe("open");
  expect(breaker.allows(999)).toBe(false);
  expect(breaker.waitMs(400)).toBe(600);
});

test("half-open it lets one attempt through, whose success closes it", () => {
  const breaker = new Breaker(options);
  for (const _ of [1, 2, 3]) breaker.failed(0);
  expect(breaker.state(1000)).toBe("half-open");
  expect(breaker.allows(1000)).toBe(true);
  expect(breaker.allows(1001)).toBe(false);
  expect(breaker.waitMs(1001)).toBe(999);
  breaker.succeeded();
  expect(breaker.state(1002)).toBe("closed");
  expect(breaker.allows(1002)).toBe(true);
  expect(breaker.waitMs(1002)).toBe(0);
});

test("half-open, a failure opens it anew, for as long again", () => {
  const breaker = new Breaker(options);
  for (const _ of [1, 2, 3]) breaker.failed(0);
  expect(breaker.allows(1500)).toBe(true);
  breaker.failed(1600);
  expect(breaker.state(2599)).toBe("open");
  expect(breaker.allows(2600)).toBe(true);
});

test("failures of what was sent before it opened do not keep it open longer", () => {
  const breaker = new Breaker(options);
  for (const _ of [1, 2, 3]) breaker.failed(0);
  breaker.failed(500);
  expect(breaker.state(1000)).toBe("half-open");
});

test("an attempt that never ends is forgotten", () => {
  const breaker = new Breaker(options);
  for (const _ of [1, 2, 3]) breaker.failed(0);
  expect(breaker.allows(1000)).toBe(true);
  expect(breaker.allows(1999)).toBe(false);
  expect(breaker.allows(2000)).toBe(true);
});
