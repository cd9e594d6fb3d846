import type { Fragment, WriteFate } from "@mon/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Deduplicator } from "../src/deduplicator.ts";
import type { Outcome } from "../src/index.ts";
import { Ticket } from "../src/ticket.ts";
import { check } from "./support/check.ts";
import { stored } from "./support/gated-store.ts";

const retry: WriteFate = { status: "retry", reason: "the disk is full", retryDelayMs: 250 };
const megabyte = 1_048_576;

function fragment(hostId: string, timestampMs: number, id: number): Fragment {
  return { hostId, timestampMs, idHigh: id, idLow: 7, bytes: new Uint8Array(0) };
}

const arbitraryFragment = fc
  .tuple(fc.constantFrom("g", "h"), fc.nat(1), fc.nat(3))
  .map(([hostId, timestampMs, id]) => fragment(hostId, timestampMs, id));

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ see: arbitraryFragment }) },
    { weight: 5, arbitrary: fc.record({ land: fc.nat(), fate: fc.constantFrom(stored, stored, retry) }) },
    { weight: 1, arbitrary: fc.record({ clear: fc.constant(true) }) },
  ),
  { maxLength: 120, size: "max" },
);

const keyOf = ({ hostId, timestampMs, idHigh }: Fragment): string => `${hostId}/${timestampMs}/${idHigh}`;

describe("a deduplicator", () => {
  it("knows what was added, several fragments of one instant among them, and forgets exactly what did not land", () => {
    check(
      fc.property(steps, (history) => {
        const deduplicator = new Deduplicator(megabyte);
        const known = new Map<string, number>();
        const flying: { flight: number; of: Fragment }[] = [];
        for (const step of history) {
          if ("see" in step) {
            const found = deduplicator.find(step.see);
            expect(found).toBe(known.get(keyOf(step.see)) ?? -1);
            if (found >= 0) continue;
            const flight = deduplicator.add(step.see);
            known.set(keyOf(step.see), flight);
            flying.push({ flight, of: step.see });
          } else if ("land" in step) {
            if (flying.length === 0) continue;
            const [{ flight, of }] = flying.splice(step.land % flying.length, 1) as [(typeof flying)[number]];
            deduplicator.land(flight, step.fate);
            // After a clear another flight may have its place, and nothing is known of this one.
            const isKnown = known.get(keyOf(of)) === flight;
            expect(deduplicator.fateOf(flight)).toBe(isKnown ? step.fate : undefined);
            if (step.fate !== stored && isKnown) known.delete(keyOf(of));
          } else {
            deduplicator.clear();
            known.clear();
          }
        }
      }),
    );
  });

  it("remembers at least half of its bound, and never more than all of it", () => {
    const bound = 50;
    const deduplicator = new Deduplicator(64 * bound);
    for (let i = 0; i < 500; i++) {
      deduplicator.land(deduplicator.add(fragment("h", i, 1)), stored);
      const remembered = Array.from({ length: i + 1 }, (_, at) => deduplicator.find(fragment("h", at, 1)));
      const count = remembered.filter((flight) => flight >= 0).length;
      expect(count).toBeLessThanOrEqual(bound);
      expect(count).toBeGreaterThanOrEqual(Math.min(i + 1, bound / 2));
      // What it remembers is the newest.
      expect(remembered.slice(-count).every((flight) => flight >= 0)).toBe(true);
    }
  });

  it("remembers nothing when it is turned off", () => {
    const deduplicator = new Deduplicator(0);
    deduplicator.land(deduplicator.add(fragment("h", 1, 1)), stored);
    expect(deduplicator.find(fragment("h", 1, 1))).toBe(-1);
  });

  it("tells every repeat the fate of the flight that it waited for, even one forgotten meanwhile (R9)", async () => {
    const deduplicator = new Deduplicator(megabyte);
    const flight = deduplicator.add(fragment("h", 1, 1));
    const outcomes = [1, 2].map(
      (samples) =>
        new Promise<Outcome>((resolve) => {
          const batch = {
            fragments: [],
            places: [],
            rejections: [],
            reportIndexes: [0],
            sampleCounts: [samples],
          };
          const ticket = new Ticket(batch, resolve);
          deduplicator.wait(flight, ticket, 0);
        }),
    );
    deduplicator.clear();
    deduplicator.land(flight, stored);
    expect((await Promise.all(outcomes)).map(({ samplesStored }) => samplesStored)).toEqual([1, 2]);
  });
});
