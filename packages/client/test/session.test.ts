import { create } from "@bufbuild/protobuf";
import { OutcomeSchema, Reason } from "@mon/proto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { LedgerSnapshot } from "../src/ledger.ts";
import { defaults } from "../src/options.ts";
import { type Batch, type EncodedReport, ReportSession, type SessionOptions } from "../src/session.ts";

const seed = Number(process.env.SEED ?? 20261123);

function reportOf(id: number, samples = 1, size = 4): EncodedReport {
  const bytes = new Uint8Array(size);
  new DataView(bytes.buffer).setUint32(0, id);
  return { bytes, samples };
}

function idOf({ bytes }: EncodedReport): number {
  return new DataView(bytes.buffer).getUint32(0);
}

function session(options: Partial<SessionOptions> = {}): ReportSession {
  return new ReportSession({ ...defaults, ...options });
}

function idsOf(batch: Batch | undefined): number[] {
  return batch?.reports.map(idOf) ?? [];
}

const stored = create(OutcomeSchema);

function expectBalanced({ reports, samples }: LedgerSnapshot): void {
  for (const tally of [reports, samples]) {
    expect(tally.acked + tally.rejected + tally.dropped + tally.buffered).toBe(tally.sent);
    for (const count of Object.values(tally)) expect(count).toBeGreaterThanOrEqual(0);
  }
}

test("what is pushed while the window is full makes the next batch", () => {
  const it = session({ windowBatches: 1 });
  it.push(reportOf(1), 0);
  const first = it.next(0);
  it.push(reportOf(2), 0);
  it.push(reportOf(3), 0);
  expect(idsOf(first)).toEqual([1]);
  expect(it.next(0)).toBeUndefined();
  it.settle(first!.sequence, stored, 1);
  expect(idsOf(it.next(1))).toEqual([2, 3]);
});

test("a batch ends before its reports, samples or bytes exceed their bounds", () => {
  const byReports = session({ batchReportsMax: 2 });
  const bySamples = session({ batchSamplesMax: 5 });
  const byBytes = session({ batchBytesMax: 150 });
  for (let id = 1; id <= 3; id += 1) {
    byReports.push(reportOf(id), 0);
    bySamples.push(reportOf(id, 2), 0);
    byBytes.push(reportOf(id, 1, 60), 0);
  }
  for (const it of [byReports, bySamples, byBytes]) {
    expect(idsOf(it.next(0))).toEqual([1, 2]);
    expect(idsOf(it.next(0))).toEqual([3]);
  }
});

test("a report beyond the bounds of a batch goes alone", () => {
  const it = session({ batchSamplesMax: 5, batchBytesMax: 100 });
  it.push(reportOf(1, 6), 0);
  it.push(reportOf(2, 1, 500), 0);
  it.push(reportOf(3), 0);
  expect(idsOf(it.next(0))).toEqual([1]);
  expect(idsOf(it.next(0))).toEqual([2]);
  expect(idsOf(it.next(0))).toEqual([3]);
});

test("a report larger than a message is dropped and costs no other report its place", () => {
  const it = session({ messageBytesMax: 1_024, bufferReportsMax: 1 });
  it.push(reportOf(1), 0);
  expect(it.push(reportOf(2, 7, 1_024), 0)).toEqual({
    result: "dropped",
    dropped: { reports: 1, samples: 7 },
  });
  expect(idsOf(it.next(0))).toEqual([1]);
});

test("a full buffer drops the oldest waiting report for a new one", () => {
  const it = session({ bufferReportsMax: 2 });
  it.push(reportOf(1, 3), 0);
  it.push(reportOf(2), 0);
  expect(it.push(reportOf(3), 0)).toEqual({ result: "displaced", dropped: { reports: 1, samples: 3 } });
  expect(idsOf(it.next(0))).toEqual([2, 3]);
});

test("a buffer that is all under way drops the new report", () => {
  const it = session({ bufferReportsMax: 1 });
  it.push(reportOf(1), 0);
  it.next(0);
  expect(it.push(reportOf(2), 0).result).toBe("dropped");
  it.disconnect();
  expect(it.push(reportOf(3), 0).result).toBe("displaced");
  expect(idsOf(it.next(0))).toEqual([3]);
});

test("the buffer is bounded in bytes too", () => {
  const it = session({ bufferBytesMax: 100 });
  it.push(reportOf(1, 1, 40), 0);
  it.push(reportOf(2, 1, 40), 0);
  expect(it.push(reportOf(3, 1, 90), 0).dropped.reports).toBe(2);
  expect(it.bufferedBytes).toBe(90);
});

test("after a disconnect everything unacked is sent again, in order, before what came later (R8)", () => {
  const it = session({ windowBatches: 2, batchReportsMax: 2 });
  for (let id = 1; id <= 5; id += 1) it.push(reportOf(id), 0);
  const first = it.next(0)!;
  it.next(0);
  it.settle(first.sequence, stored, 1);
  it.next(1);
  it.disconnect();
  it.push(reportOf(6), 2);
  expect([it.next(2), it.next(2)].flatMap(idsOf)).toEqual([3, 4, 5, 6]);
});

test("an outcome that comes after its stream is gone changes nothing", () => {
  const it = session();
  it.push(reportOf(1), 0);
  const { sequence } = it.next(0)!;
  it.disconnect();
  expect(it.settle(sequence, stored, 1)).toBeUndefined();
  expect(it.ledger.reports).toMatchObject({ acked: 0, buffered: 1 });
});

test("a refused report waits for its delay, lets others pass, and then goes first", () => {
  const it = session();
  it.push(reportOf(1), 0);
  it.push(reportOf(2), 0);
  const first = it.next(0)!;
  it.settle(first.sequence, create(OutcomeSchema, { refusals: [{ reportIndex: 0 }], retryDelayMs: 50 }), 10);
  expect(it.ledger.reports).toMatchObject({ acked: 1, buffered: 1 });
  expect(it.wakeAtMs()).toBe(60);
  it.push(reportOf(3), 20);
  expect(idsOf(it.next(20))).toEqual([3]);
  it.push(reportOf(4), 60);
  expect(idsOf(it.next(60))).toEqual([1, 4]);
});

test("a full buffer drops the oldest of all that waits, refused or not", () => {
  const refuse = create(OutcomeSchema, { refusals: [{ reportIndex: 0 }], retryDelayMs: 50 });
  const refusedIsOlder = session({ bufferReportsMax: 2, batchReportsMax: 1 });
  refusedIsOlder.push(reportOf(1), 0);
  refusedIsOlder.settle(refusedIsOlder.next(0)!.sequence, refuse, 0);
  refusedIsOlder.push(reportOf(2), 0);
  refusedIsOlder.push(reportOf(3), 0);
  expect(idsOf(refusedIsOlder.next(60))).toEqual([2]);

  const refusedIsNewer = session({ bufferReportsMax: 2, batchReportsMax: 1 });
  refusedIsNewer.push(reportOf(1), 0);
  refusedIsNewer.push(reportOf(2), 0);
  refusedIsNewer.next(0);
  refusedIsNewer.settle(refusedIsNewer.next(0)!.sequence, refuse, 0);
  refusedIsNewer.disconnect();
  refusedIsNewer.push(reportOf(3), 0);
  expect(idsOf(refusedIsNewer.next(60))).toEqual([2]);
});

test("what is said against a refused report is not told: it will be judged again", () => {
  const it = session();
  it.push(reportOf(1, 2), 0);
  it.push(reportOf(2, 2), 0);
  const { sequence } = it.next(0)!;
  const rejections = [
    { reportIndex: 0, sampleIndex: 0, reason: Reason.VALUE_NAN },
    { reportIndex: 1, sampleIndex: 1, reason: Reason.NAME_INVALID },
  ];
  const outcome = create(OutcomeSchema, { rejections, refusals: [{ reportIndex: 0 }] });
  expect(it.settle(sequence, outcome, 0)?.rejections).toMatchObject([{ reason: Reason.NAME_INVALID }]);
  expect(it.ledger.samples).toMatchObject({ acked: 1, rejected: 1, buffered: 2 });
});

test("rejected samples are counted, and a report of which nothing is stored counts as rejected", () => {
  const it = session();
  it.push(reportOf(1, 3), 0);
  it.push(reportOf(2, 2), 0);
  it.push(reportOf(3, 4), 0);
  const { sequence } = it.next(0)!;
  const rejections = [
    { reportIndex: 0, sampleIndex: 2, reason: Reason.NAME_INVALID },
    { reportIndex: 1, sampleIndex: 0, reason: Reason.VALUE_NAN },
    { reportIndex: 1, sampleIndex: 1, reason: Reason.VALUE_NAN },
    { reportIndex: 2, reason: Reason.HOST_ID_INVALID },
  ];
  it.settle(sequence, create(OutcomeSchema, { rejections }), 1);
  expect(it.ledger.reports).toEqual({ sent: 3, acked: 1, rejected: 2, dropped: 0, buffered: 0 });
  expect(it.ledger.samples).toEqual({ sent: 9, acked: 2, rejected: 7, dropped: 0, buffered: 0 });
});

test.each(["TOO_MANY_SAMPLES", "MALFORMED"] as const)("%s rejects the whole batch", (reason) => {
  const it = session();
  it.push(reportOf(1, 3), 0);
  it.push(reportOf(2, 2), 0);
  const { sequence } = it.next(0)!;
  it.settle(sequence, create(OutcomeSchema, { rejections: [{ reportIndex: 1, reason: Reason[reason] }] }), 1);
  expect(it.ledger.samples).toMatchObject({ acked: 0, rejected: 5, buffered: 0 });
});

test("rejections beyond those listed are counted by the broker's totals", () => {
  const it = session();
  it.push(reportOf(1, 1_500), 0);
  it.push(reportOf(2, 10), 0);
  const { sequence } = it.next(0)!;
  const rejections = Array.from({ length: 1_000 }, (_, sampleIndex) => ({ reportIndex: 0, sampleIndex }));
  const outcome = { rejections, rejectionsOmitted: 500, reportsStored: 1, samplesStored: 10 };
  it.settle(sequence, create(OutcomeSchema, outcome), 1);
  expect(it.ledger.samples).toMatchObject({ acked: 10, rejected: 1_500 });
  expect(it.ledger.reports).toMatchObject({ acked: 1, rejected: 1 });
});

test("what lingers goes when its time is up, when the batch is full, or at a mark", () => {
  const options = { lingerMs: 100, batchReportsMax: 2 };
  const timed = session(options);
  timed.push(reportOf(1), 0);
  expect(timed.next(99)).toBeUndefined();
  expect(timed.wakeAtMs()).toBe(100);
  expect(idsOf(timed.next(100))).toEqual([1]);
  const filled = session(options);
  filled.push(reportOf(1), 0);
  filled.push(reportOf(2), 0);
  expect(idsOf(filled.next(0))).toEqual([1, 2]);
  const marked = session(options);
  marked.push(reportOf(1), 0);
  marked.mark();
  expect(idsOf(marked.next(0))).toEqual([1]);
});

test("a mark counts down as reports from before it get their fate, and only those", () => {
  const it = session({ batchReportsMax: 1 });
  it.push(reportOf(1), 0);
  it.push(reportOf(2), 0);
  const mark = it.mark();
  it.push(reportOf(3), 0);
  const [first, second, third] = [it.next(0)!, it.next(0)!, it.next(0)!];
  it.settle(third.sequence, stored, 1);
  expect(mark.remaining).toBe(2);
  it.settle(first.sequence, stored, 1);
  it.settle(second.sequence, stored, 1);
  expect(mark.remaining).toBe(0);
});

test("the time without an outcome runs from the first batch under way and begins anew at each outcome", () => {
  const it = session({ batchReportsMax: 1 });
  it.push(reportOf(1), 0);
  it.push(reportOf(2), 0);
  expect(it.unackedSinceMs).toBeUndefined();
  const first = it.next(10)!;
  const second = it.next(20)!;
  expect(it.unackedSinceMs).toBe(10);
  it.settle(first.sequence, stored, 30);
  expect(it.unackedSinceMs).toBe(30);
  it.settle(second.sequence, stored, 40);
  expect(it.unackedSinceMs).toBeUndefined();
});

type Step =
  | { kind: "push"; samples: number; size: number }
  | { kind: "send" }
  | {
      kind: "outcome";
      pick: number;
      fates: readonly ("store" | "reject" | "rejectOne" | "refuse")[];
      delayMs: number;
    }
  | { kind: "rejectBatch"; pick: number }
  | { kind: "disconnect" }
  | { kind: "advance"; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("push" as const),
      samples: fc.nat(5),
      size: fc.integer({ min: 4, max: 40 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("send" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("outcome" as const),
      pick: fc.nat(10),
      fates: fc.array(
        fc.constantFrom("store" as const, "reject" as const, "rejectOne" as const, "refuse" as const),
        { minLength: 5, maxLength: 5 },
      ),
      delayMs: fc.nat(100_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("rejectBatch" as const), pick: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("disconnect" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("advance" as const), ms: fc.nat(70_000) }) },
);

/** The obvious model: what a perfect observer knows of each report. */
class Model {
  readonly fate = new Map<number, "kept" | "gone" | "dropped">();
  readonly samples = new Map<number, number>();
  underWay: Batch[] = [];
  nowMs = 0;
  nextId = 1;

  ids(fate: "kept" | "gone" | "dropped"): number[] {
    return [...this.fate].filter(([, is]) => is === fate).map(([id]) => id);
  }
}

test("whatever happens, the ledger adds up, the window holds, and nothing is lost that is not counted as dropped", () => {
  const options = fc.record({
    windowBatches: fc.integer({ min: 1, max: 3 }),
    batchReportsMax: fc.integer({ min: 1, max: 5 }),
    batchSamplesMax: fc.integer({ min: 1, max: 12 }),
    batchBytesMax: fc.integer({ min: 1, max: 120 }),
    bufferReportsMax: fc.integer({ min: 1, max: 12 }),
    bufferBytesMax: fc.integer({ min: 20, max: 300 }),
    lingerMs: fc.constantFrom(0, 0, 1_000),
  });
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 80 }), (limits, steps) => {
      const it = session(limits);
      const model = new Model();
      for (const each of steps) {
        run(it, model, each);
        expectBalanced(it.ledger);
        expect(it.batchesUnderWay).toBe(model.underWay.length);
        expect(it.batchesUnderWay).toBeLessThanOrEqual(limits.windowBatches);
        expect(it.bufferedReports).toBeLessThanOrEqual(limits.bufferReportsMax);
        expect(it.bufferedBytes).toBeLessThanOrEqual(limits.bufferBytesMax);
        expect(it.ledger.reports.buffered).toBe(it.bufferedReports);
      }
      // Whatever is not gone by now comes out of the session, or was counted as dropped.
      it.disconnect();
      const left: number[] = [];
      for (let rounds = 0; it.bufferedReports > 0; rounds += 1) {
        expect(rounds).toBeLessThan(1_000);
        model.nowMs += 60_000;
        const batch = it.next(model.nowMs);
        if (batch === undefined) continue;
        left.push(...idsOf(batch));
        it.settle(batch.sequence, stored, model.nowMs);
      }
      const kept = model.ids("kept");
      expect(new Set(left).size).toBe(left.length);
      for (const id of left) expect(kept).toContain(id);
      expect(it.ledger.reports.dropped).toBe(model.ids("dropped").length + kept.length - left.length);
      expectBalanced(it.ledger);
    }),
    { seed, numRuns: 500 },
  );
});

function run(it: ReportSession, model: Model, each: Step): void {
  switch (each.kind) {
    case "push": {
      const id = model.nextId;
      model.nextId += 1;
      const { result } = it.push(reportOf(id, each.samples, each.size), model.nowMs);
      model.samples.set(id, each.samples);
      model.fate.set(id, result === "dropped" ? "dropped" : "kept");
      return;
    }
    case "send": {
      const batch = it.next(model.nowMs);
      if (batch === undefined) return;
      expect(batch.reports.length).toBeGreaterThan(0);
      expect(model.underWay.map(({ sequence }) => sequence)).not.toContain(batch.sequence);
      for (const id of idsOf(batch)) {
        expect(model.fate.get(id)).toBe("kept");
        expect(model.underWay.flatMap(idsOf)).not.toContain(id);
      }
      model.underWay.push(batch);
      return;
    }
    case "outcome": {
      const [batch] = model.underWay.splice(each.pick % (model.underWay.length || 1), 1);
      if (batch === undefined) return;
      const before = it.ledger;
      const fates = batch.reports.map((_, index) => each.fates[index % each.fates.length]!);
      it.settle(
        batch.sequence,
        create(OutcomeSchema, {
          rejections: fates.flatMap(
            (fate, reportIndex): { reportIndex: number; sampleIndex?: number; reason: Reason }[] => {
              if (fate === "reject") return [{ reportIndex, reason: Reason.TIMESTAMP_TOO_OLD }];
              if (fate === "store") return [];
              // A refused report may carry rejections too; it will be judged again.
              return [{ reportIndex, sampleIndex: 0, reason: Reason.VALUE_NAN }];
            },
          ),
          refusals: fates.flatMap((fate, reportIndex) => (fate === "refuse" ? [{ reportIndex }] : [])),
          retryDelayMs: each.delayMs,
        }),
        model.nowMs,
      );
      let rejected = 0;
      idsOf(batch).forEach((id, index) => {
        if (fates[index] !== "refuse") model.fate.set(id, "gone");
        if (fates[index] === "reject") rejected += model.samples.get(id)!;
        if (fates[index] === "rejectOne") rejected += Math.min(1, model.samples.get(id)!);
      });
      expect(it.ledger.samples.rejected - before.samples.rejected).toBe(rejected);
      return;
    }
    case "rejectBatch": {
      const [batch] = model.underWay.splice(each.pick % (model.underWay.length || 1), 1);
      if (batch === undefined) return;
      it.settle(
        batch.sequence,
        create(OutcomeSchema, { rejections: [{ reason: Reason.MALFORMED }] }),
        model.nowMs,
      );
      for (const id of idsOf(batch)) model.fate.set(id, "gone");
      return;
    }
    case "disconnect":
      it.disconnect();
      model.underWay = [];
      return;
    case "advance":
      model.nowMs += each.ms;
      return;
    default:
      each satisfies never;
  }
}
