import { expect, it } from "vitest";
import { formatClock } from "../src/time-axis.ts";

/** Seconds since the epoch of a time by the local clock. */
const local = (hours: number, minutes = 0, seconds = 0): number =>
  new Date(2026, 10, 23, hours, minutes, seconds).getTime() / 1_000;

it("a time axis says no more than its ticks need", () => {
  expect(formatClock(local(17, 26, 5), 5)).toBe("17:26:05");
  expect(formatClock(local(17, 26), 60)).toBe("17:26");
  expect(formatClock(local(0), 3_600)).toBe("Nov 23");
  expect(formatClock(local(9), 86_400)).toBe("Nov 23");
});
