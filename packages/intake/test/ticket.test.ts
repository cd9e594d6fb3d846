import type { WriteFate } from "@mon/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchReader, defaultRules, type Outcome, type Rejection } from "../src/index.ts";
import { durabilityOrder } from "../src/outcome.ts";
import { Ticket } from "../src/ticket.ts";
import { check } from "./support/check.ts";
import { encodeReport } from "./support/reports.ts";

const now = 1_767_225_600_000;

const rejection: Rejection = {
  reportIndex: 3,
  hostId: "h",
  name: "",
  reason: "timestamp_missing",
  field: "reports[3].timestamp_ms",
  message: "expected timestamp_ms or time, got neither",
};

const arbitraryFate: fc.Arbitrary<WriteFate> = fc.oneof(
  fc.record({
    status: fc.constant("stored" as const),
    durability: fc.constantFrom(...durabilityOrder),
    copies: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({
    status: fc.constant("retry" as const),
    reason: fc.constantFrom("full", "late"),
    retryDelayMs: fc.nat(5_000),
  }),
  fc.record({ status: fc.constant("rejected" as const), reason: fc.constant("not canonical") }),
);

describe("a ticket", () => {
  it("resolves with the last fate, in whatever order fates come, to the weakest of what was stored and all that was not", () => {
    const batches = fc
      .array(fc.tuple(arbitraryFate, fc.nat(20)), { minLength: 1, maxLength: 8 })
      .chain((fates) =>
        fc.tuple(fc.constant(fates), fc.shuffledSubarray([...fates.keys()], { minLength: fates.length })),
      );
    check(
      fc.property(batches, ([fates, order]) => {
        const outcomes: Outcome[] = [];
        const batch = {
          fragments: [],
          places: [],
          rejections: [rejection],
          reportIndexes: fates.map((_, i) => 10 + i),
          sampleCounts: fates.map(([, samples]) => samples),
        };
        const ticket = new Ticket(batch, (outcome) => outcomes.push(outcome));
        for (const index of order) {
          expect(outcomes).toEqual([]);
          ticket.settle(index, fates[index]![0]);
        }
        const taken = fates.flatMap(([fate, samples]) =>
          fate.status === "stored" ? [{ fate, samples }] : [],
        );
        const levels = taken.map(({ fate }) => durabilityOrder.indexOf(fate.durability));
        const open = fates.flatMap(([fate], i) =>
          fate.status === "stored" ? [] : [{ reportIndex: 10 + i, message: fate.reason, fate }],
        );
        const delays = open.map(({ fate }) => (fate.status === "retry" ? fate.retryDelayMs : 1_000));
        const { refusals, ...rest } = outcomes[0]!;
        expect(outcomes).toHaveLength(1);
        expect(rest).toEqual({
          reportsStored: taken.length,
          samplesStored: taken.reduce((sum, { samples }) => sum + samples, 0),
          durability: taken.length === 0 ? undefined : durabilityOrder[Math.min(...levels)],
          copies: taken.length === 0 ? 0 : Math.min(...taken.map(({ fate }) => fate.copies)),
          rejections: [rejection],
          retryDelayMs: Math.max(0, ...delays),
        });
        expect(refusals.toSorted((a, b) => a.reportIndex - b.reportIndex)).toEqual(
          open.map(({ reportIndex, message }) => ({ reportIndex, message })),
        );
      }),
    );
  });

  it("of a batch of which nothing is left resolves at once", () => {
    const outcomes: Outcome[] = [];
    const batch = { fragments: [], places: [], rejections: [rejection], reportIndexes: [], sampleCounts: [] };
    new Ticket(batch, (outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual([
      {
        reportsStored: 0,
        samplesStored: 0,
        durability: undefined,
        copies: 0,
        rejections: [rejection],
        refusals: [],
        retryDelayMs: 0,
      },
    ]);
  });

  it("rejects by name, where they were sent, samples for whose series a host has no room, and counts the rest", () => {
    const reader = new BatchReader(defaultRules);
    const batch = reader.read(
      ["a", "b", "c"].map((hostId) =>
        encodeReport(hostId, now, [
          { name: "y", value: 1 },
          { name: "bad", value: Number.NaN },
          { name: "x", value: 2 },
        ]),
      ),
      now,
    );
    const outcomes: Outcome[] = [];
    const ticket = new Ticket(batch, (outcome) => outcomes.push(outcome));
    // In the bytes of the fragments "x" stands before "y".
    ticket.settle(2, { status: "rejected", reason: "too many", refusedSamples: [0, 1] });
    ticket.settle(1, { status: "stored", durability: "fsync", copies: 1 });
    ticket.settle(0, { status: "stored", durability: "fsync", copies: 1, refusedSamples: [1] });
    const { rejections, ...rest } = outcomes[0]!;
    expect(rest).toMatchObject({ reportsStored: 2, samplesStored: 3, refusals: [], retryDelayMs: 0 });
    expect(rejections.map(({ field, name, reason, hostId }) => [field, name, reason, hostId])).toEqual([
      ["reports[0].samples[0]", "y", "series_limit", "a"],
      ["reports[0].samples[1].value", "bad", "value_nan", "a"],
      ["reports[1].samples[1].value", "bad", "value_nan", "b"],
      ["reports[2].samples[0]", "y", "series_limit", "c"],
      ["reports[2].samples[1].value", "bad", "value_nan", "c"],
      ["reports[2].samples[2]", "x", "series_limit", "c"],
    ]);
  });
});
