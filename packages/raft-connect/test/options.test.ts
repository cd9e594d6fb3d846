import { describe, expect, it } from "vitest";
import { Backoff } from "../src/backoff.ts";
import { type ConnectTransportOptions, defaults, resolveOptions } from "../src/index.ts";

describe("options", () => {
  it("have defaults that are in range", () => {
    expect(resolveOptions()).toEqual(defaults);
  });

  it.each<[ConnectTransportOptions, string]>([
    [{ pingIntervalMs: 0 }, "expected pingIntervalMs to be an integer from 1 to 2147483647, got 0"],
    [{ maxQueuedMessages: 1.5 }, "expected maxQueuedMessages to be an integer from 1 to 1000000, got 1.5"],
    [{ backoffMinMs: 5_000 }, "expected backoffMinMs of at most backoffMaxMs (1000), got 5000"],
    [
      { maxMessageBytes: 32_000_000 },
      "expected maxMessageBytes of at most maxQueuedBytes (16777216), got 32000000",
    ],
  ])("out of range are named: %o", (options, message) => {
    expect(() => resolveOptions(options)).toThrow(new RangeError(message));
  });
});

describe("a back-off", () => {
  it("doubles its bound with each failure up to the greatest, and starts small when it is reset", () => {
    const backoff = new Backoff(50, 1_000, { next: () => 0.999_999 });
    expect(Array.from({ length: 7 }, () => backoff.next())).toEqual([50, 100, 200, 400, 800, 1_000, 1_000]);
    backoff.reset();
    expect(backoff.next()).toBe(50);
  });

  it("is drawn evenly from 0 to its bound", () => {
    const draws = [0, 0.5, 0.25];
    const backoff = new Backoff(100, 1_000, { next: () => draws.shift()! });
    expect([backoff.next(), backoff.next(), backoff.next()]).toEqual([0, 100, 100]);
  });
});
