import { decodeSamples, type Fragment, fragmentFromSamples, MemoryStore, type WriteFate } from "@mon/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Batcher, ByteBudget, defaultBatcherOptions, Intake, type Outcome } from "../src/index.ts";
import { GatedStore, stored } from "./support/gated-store.ts";
import { encodeReport } from "./support/reports.ts";
import { settle, VirtualClock } from "./support/virtual-clock.ts";

const seed = Number(process.env.SEED ?? 20261123);
const retry: WriteFate = { status: "retry", reason: "the disk is full", retryDelayMs: 250 };

function setUp(options = {}) {
  const store = new GatedStore();
  const clock = new VirtualClock();
  const intake = new Intake({ store, clock }, options);
  const report = (hostId: string, value: number): Uint8Array =>
    encodeReport(hostId, clock.now(), [{ name: "a", value }]);
  return { store, clock, intake, report };
}

describe("an intake", () => {
  it("acknowledges a batch only once the store has it", async () => {
    const { store, intake, report } = setUp();
    let outcome: Outcome | undefined;
    void intake.submit([report("h", 1)]).then((known) => {
      outcome = known;
    });
    await settle();
    expect(outcome).toBeUndefined();
    store.writes[0]!.finish();
    await settle();
    expect(outcome).toMatchObject({
      reportsStored: 1,
      samplesStored: 1,
      durability: "fsync",
      copies: 1,
      refusals: [],
    });
  });

  it("names the weakest durability and the fewest copies of a batch", async () => {
    const { store, intake, report } = setUp();
    const outcome = intake.submit([report("a", 1), report("b", 1), report("c", 1)]);
    store.writes[0]!.finish([
      { status: "stored", durability: "fsync", copies: 2 },
      { status: "stored", durability: "process", copies: 3 },
      stored,
    ]);
    expect(await outcome).toMatchObject({ reportsStored: 3, durability: "process", copies: 1 });
  });

  it("refuses what the store could not take, by report, and acknowledges the rest of the batch", async () => {
    const { store, intake, report } = setUp();
    const outcome = intake.submit([
      report("a", 1),
      encodeReport("", 1, [{ name: "a", value: 1 }]),
      report("b", 1),
    ]);
    store.writes[0]!.finish([stored, retry]);
    expect(await outcome).toMatchObject({
      reportsStored: 1,
      rejections: [{ reportIndex: 1, reason: "host_id_missing" }],
      refusals: [{ reportIndex: 2, message: "the disk is full" }],
      retryDelayMs: 250,
    });
    expect(intake.counters).toMatchObject({ batches: 1, reports: 1, samples: 1, reportsRefused: 1 });
    expect([...intake.counters.rejections]).toEqual([["host_id_missing", 1]]);
  });

  it("answers a repeat without a second write, at the level reached (R9)", async () => {
    const { store, intake, report } = setUp();
    const first = intake.submit([report("h", 1)]);
    store.writes[0]!.finish();
    await first;
    expect(await intake.submit([report("h", 1)])).toMatchObject({
      reportsStored: 1,
      durability: "fsync",
      copies: 1,
    });
    expect(store.writes).toHaveLength(1);
    expect(intake.counters.reportsRepeated).toBe(1);
  });

  it("lets a repeat in flight share its fate: when the first write fails, the repeat is not acknowledged (R9)", async () => {
    const { store, intake, report } = setUp();
    const first = intake.submit([report("h", 1)]);
    const repeat = intake.submit([report("h", 1)]);
    store.writes[0]!.fail(new Error("EIO"));
    for (const outcome of [await first, await repeat]) {
      expect(outcome).toMatchObject({
        reportsStored: 0,
        durability: undefined,
        refusals: [{ reportIndex: 0, message: "EIO" }],
      });
    }
    const again = intake.submit([report("h", 1)]);
    store.writes[1]!.finish();
    expect(await again).toMatchObject({ reportsStored: 1 });
  });

  it("writes again what it was told to forget, and tells hosts, instants and contents apart", async () => {
    const { store, intake, report, clock } = setUp();
    const submissions = [
      report("h", 1),
      report("g", 1),
      report("h", 2),
      encodeReport("h", clock.now() - 1, [{ name: "a", value: 1 }]),
    ];
    const all = intake.submit(submissions);
    expect(store.writes[0]!.fragments).toHaveLength(4);
    store.writes[0]!.finish();
    await all;
    intake.forgetRepeats();
    void intake.submit(submissions);
    expect(store.writes[1]!.fragments).toHaveLength(4);
  });

  it("remembers repeats within a bound", async () => {
    const { store, intake, clock } = setUp({ dedupBytesMax: 64 * 2 * 10 });
    const reports = Array.from({ length: 40 }, (_, i) =>
      encodeReport("h", clock.now() - i, [{ name: "a", value: 1 }]),
    );
    for (const report of reports) {
      const outcome = intake.submit([report]);
      store.writes.at(-1)!.finish();
      await outcome;
    }
    void intake.submit([reports[0]!]);
    expect(store.writes).toHaveLength(41);
    await intake.submit([reports[39]!]);
    expect(store.writes).toHaveLength(41);
  });

  it("refuses reports whose flush takes too long, in virtual time", async () => {
    const { clock, intake, report } = setUp({ flushTimeoutMs: 5_000 });
    const outcome = intake.submit([report("h", 1)]);
    await clock.advance(5_000);
    expect(await outcome).toMatchObject({ refusals: [{ reportIndex: 0 }], retryDelayMs: 1_000 });
  });

  it("writes a report once that comes twice in one batch, and acknowledges both (R9)", async () => {
    const { store, intake, report } = setUp();
    const outcome = intake.submit([report("h", 1), report("h", 1)]);
    expect(store.writes.map((write) => write.fragments.length)).toEqual([1]);
    store.writes[0]!.finish();
    expect(await outcome).toMatchObject({ reportsStored: 2, samplesStored: 2, refusals: [] });
  });

  it("answers at once, without a write, a batch of which nothing is left", async () => {
    const { store, intake } = setUp();
    expect(await intake.submit([encodeReport("", 1, [{ name: "a", value: 1 }])])).toMatchObject({
      reportsStored: 0,
      durability: undefined,
      copies: 0,
      rejections: [{ reason: "host_id_missing" }],
    });
    expect(await intake.submit([])).toMatchObject({ reportsStored: 0, rejections: [], refusals: [] });
    expect(store.writes).toEqual([]);
  });

  it("shows what the store has taken, and only that, before the batch has its outcome", async () => {
    const store = new GatedStore();
    const clock = new VirtualClock();
    const events: unknown[] = [];
    const onStored = (fragments: readonly Fragment[]): void => {
      events.push(fragments.map(({ hostId }) => hostId));
    };
    const intake = new Intake({ store, clock, stored: onStored });
    const reports = ["a", "b", "c"].map((hostId) =>
      encodeReport(hostId, clock.now(), [{ name: "a", value: 1 }]),
    );
    const outcome = intake.submit(reports).then(({ reportsStored }) => events.push(reportsStored));
    store.writes[0]!.finish([stored, retry, stored]);
    await outcome;
    expect(events).toEqual([["a", "c"], 2]);
  });

  it("refuses, and does not acknowledge, when the store answers for fewer fragments than it was given", async () => {
    const { store, intake, report } = setUp();
    const outcome = intake.submit([report("a", 1), report("b", 1)]);
    store.writes[0]!.finish([stored]);
    expect(await outcome).toMatchObject({
      reportsStored: 0,
      refusals: [0, 1].map((reportIndex) => ({
        reportIndex,
        message: "expected the store to tell 2 fates, got 1",
      })),
    });
  });

  it("changes rules while running, and changes nothing when they are out of range", async () => {
    const { intake, store } = setUp();
    intake.configure({ labelsMax: 0 });
    const labelled = encodeReport("h", 1_767_225_600_000, [{ name: "a", value: 1, labels: { l: "v" } }]);
    expect(await intake.submit([labelled])).toMatchObject({ rejections: [{ reason: "too_many_labels" }] });
    expect(() => intake.configure({ labelsMax: -1 })).toThrow(
      "expected labelsMax to be an integer from 0 to 1000, got -1",
    );
    expect(await intake.submit([labelled])).toMatchObject({ rejections: [{ reason: "too_many_labels" }] });
    expect(store.writes).toEqual([]);
  });

  it("reads by the new rules from the next batch on, whatever it had learned; what is under way ends by the old ones", async () => {
    const { intake, store, clock } = setUp();
    const report = (value: number): Uint8Array =>
      encodeReport("h", clock.now(), [{ name: "a", value, labels: { l: "v" } }]);
    const underWay = [report(1), report(2), report(3)].map((one) => intake.submit([one]));
    intake.configure({ labelsMax: 0 });
    const refused = await intake.submit([report(4)]);
    expect(refused.rejections).toMatchObject([{ reason: "too_many_labels" }]);
    intake.configure({ ranges: [{ metric: "a", max: 4, action: "mark" }] });
    const marked = [intake.submit([report(4)]), intake.submit([report(5)])];
    for (let flushes = 0; flushes < store.writes.length; flushes++) {
      store.writes[flushes]!.finish();
      await settle();
    }
    for (const outcome of await Promise.all([...underWay, ...marked]))
      expect(outcome).toMatchObject({ reportsStored: 1, rejections: [], refusals: [] });
    const samples = store.writes.flatMap(({ fragments }) =>
      fragments.map(({ bytes }) => decodeSamples(bytes)),
    );
    expect(samples.map(([sample]) => [sample!.value, sample!.flags])).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
      [4, 0],
      [5, 1],
    ]);
  });

  it("rejects new series beyond a host's limit by name, stores the others, and shows no more than was stored", async () => {
    await using store = new MemoryStore({ maxSeriesPerHost: 2 });
    await store.open();
    const clock = new VirtualClock();
    const shown: unknown[] = [];
    const onStored = (fragments: readonly Fragment[]): void => {
      for (const { bytes } of fragments) shown.push(decodeSamples(bytes).map(({ name }) => name));
    };
    const intake = new Intake({ store, clock, stored: onStored });
    const report = (ageMs: number, ...names: string[]): Uint8Array =>
      encodeReport(
        "h",
        clock.now() - ageMs,
        names.map((name) => ({ name, value: 1 })),
      );
    expect(await intake.submit([report(5, "b", "a")])).toMatchObject({ samplesStored: 2, rejections: [] });
    // What is sent again while it is known shares the answer.
    for (let round = 0; round < 2; round++) {
      expect(await intake.submit([report(4, "c", "b", "a"), report(3, "d")])).toMatchObject({
        reportsStored: 1,
        samplesStored: 2,
        refusals: [],
        rejections: [
          {
            reportIndex: 0,
            sampleIndex: 0,
            name: "c",
            reason: "series_limit",
            field: "reports[0].samples[0]",
          },
          {
            reportIndex: 1,
            sampleIndex: 0,
            name: "d",
            reason: "series_limit",
            field: "reports[1].samples[0]",
          },
        ],
      });
    }
    expect(await intake.submit([report(2, "a", "b")])).toMatchObject({ samplesStored: 2, rejections: [] });
    expect(shown).toEqual([
      ["a", "b"],
      ["a", "b"],
      ["a", "b"],
    ]);
    expect([...intake.counters.rejections]).toEqual([["series_limit", 4]]);
    expect((await store.stats()).series).toBe(2);
  });

  it("drains: everything submitted has its outcome", async () => {
    const { store, intake, report } = setUp({ lingerMs: 1_000 });
    const outcome = intake.submit([report("h", 1)]);
    expect(store.writes).toHaveLength(0);
    const drained = intake.drain();
    store.writes[0]!.finish();
    await drained;
    expect(await outcome).toMatchObject({ reportsStored: 1 });
  });
});

describe("natural batching, in virtual time", () => {
  it("never lets a fragment wait while the store is idle, never exceeds its limits, and settles each once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({ add: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }) }),
            fc.record({ finish: fc.nat(3) }),
            fc.record({ fail: fc.nat(3) }),
          ),
          { maxLength: 60 },
        ),
        async (steps) => {
          const store = new GatedStore();
          const limits = { batchReportsMax: 5, batchBytesMax: 120, flushesInFlightMax: 2 };
          const batcher = new Batcher((fragments) => store.write(fragments), new VirtualClock(), {
            ...defaultBatcherOptions,
            ...limits,
          });
          const open = new Set<object>();
          const landed: object[] = [];
          let added = 0;
          const inFlight = new Set<(typeof store.writes)[number]>();
          const seen = (): void => {
            for (const write of store.writes.splice(0)) {
              inFlight.add(write);
              const bytes = write.fragments.reduce((sum, fragment) => sum + fragment.bytes.length, 0);
              expect(write.fragments.length).toBeLessThanOrEqual(limits.batchReportsMax);
              expect(write.fragments.length === 1 || bytes <= limits.batchBytesMax).toBe(true);
            }
            expect(inFlight.size).toBeLessThanOrEqual(limits.flushesInFlightMax);
            expect(batcher.flushesInFlight).toBe(inFlight.size);
            if (inFlight.size < limits.flushesInFlightMax) expect(batcher.queued).toBe(0);
          };
          for (const step of steps) {
            if ("add" in step) {
              batcher.add(
                step.add.map((size) => {
                  const token = { size: added++ };
                  open.add(token);
                  const fragment = { ...fragmentFromSamples("h", 1, []), bytes: new Uint8Array(size) };
                  return {
                    fragment,
                    landed: () => {
                      expect(open.delete(token)).toBe(true);
                      landed.push(token);
                    },
                  };
                }),
              );
            } else {
              const write = [...inFlight]["finish" in step ? step.finish : step.fail];
              if (write !== undefined) {
                inFlight.delete(write);
                if ("finish" in step) write.finish();
                else write.fail(new Error("no"));
                await settle();
              }
            }
            seen();
          }
          while (inFlight.size > 0) {
            for (const write of inFlight) {
              inFlight.delete(write);
              write.finish();
            }
            await settle();
            seen();
          }
          expect(landed).toHaveLength(added);
        },
      ),
      { numRuns: 300, seed },
    );
  });

  it("lingers for company when told to, and no longer", async () => {
    const clock = new VirtualClock();
    const store = new GatedStore();
    const batcher = new Batcher((fragments) => store.write(fragments), clock, {
      ...defaultBatcherOptions,
      lingerMs: 20,
    });
    const passenger = () => ({ fragment: fragmentFromSamples("h", 1, []), landed() {} });
    batcher.add([passenger()]);
    await clock.advance(19);
    batcher.add([passenger()]);
    expect(store.writes).toHaveLength(0);
    await clock.advance(1);
    expect(store.writes.map((write) => write.fragments.length)).toEqual([2]);
  });
});

describe("a byte budget", () => {
  it("never leaks, never exceeds its bound but for a single larger batch, and admits in order", async () => {
    const steps = process.env.MON_TEST === "full" ? 1_000_000 : 100_000;
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const budget = new ByteBudget(1_000);
    const held: number[] = [];
    const waiting: AbortController[] = [];
    let admitted = 0;
    for (let i = 0; i < steps; i++) {
      const bytes = 1 + random(random(50) === 0 ? 1_500 : 300);
      switch (random(4)) {
        case 0:
          if (budget.tryAcquire(bytes)) held.push(bytes);
          break;
        case 1: {
          if (waiting.length >= 20) break;
          const controller = new AbortController();
          waiting.push(controller);
          budget.acquire(bytes, controller.signal).then(
            () => {
              admitted++;
              held.push(bytes);
              waiting.splice(waiting.indexOf(controller), 1);
            },
            () => waiting.splice(waiting.indexOf(controller), 1),
          );
          break;
        }
        case 2:
          if (held.length > 0) budget.release(held.splice(random(held.length), 1)[0]!);
          break;
        case 3:
          if (random(10) === 0 && waiting.length > 0) waiting[random(waiting.length)]!.abort();
      }
      if (i % 16 === 0) await settleMicrotasks();
      if (i % 16 === 0) expect(budget.used).toBe(held.reduce((sum, size) => sum + size, 0));
      if (budget.used > budget.max) expect(held.length).toBeLessThanOrEqual(1);
    }
    for (const controller of waiting) controller.abort();
    await settle();
    for (const bytes of held.splice(0)) budget.release(bytes);
    await settle();
    for (const bytes of held.splice(0)) budget.release(bytes);
    expect({ used: budget.used, waiting: budget.waiting }).toEqual({ used: 0, waiting: 0 });
    expect(admitted).toBeGreaterThan(100);
  });
});

async function settleMicrotasks(): Promise<void> {
  for (let i = 0; i < 4; i++) await undefined;
}

describe("an intake with routes", () => {
  /** Hosts that begin with a dash of somebody go to that one. */
  function routed() {
    const store = new GatedStore();
    const others = new GatedStore();
    const clock = new VirtualClock();
    const lanes: string[] = [];
    const intake = new Intake({
      store,
      clock,
      routes: {
        laneOf: ({ hostId }) => (hostId.includes("-") ? hostId.split("-")[0]! : ""),
        write(lane, fragments) {
          lanes.push(lane);
          return others.write(fragments);
        },
      },
    });
    const report = (hostId: string): Uint8Array =>
      encodeReport(hostId, clock.now(), [{ name: "a", value: 1 }]);
    return { store, others, intake, report, lanes };
  }

  it("sends each fragment where it goes, and acknowledges when all have it, at the least that any has", async () => {
    const { store, others, intake, report, lanes } = routed();
    const outcome = intake.submit([report("h"), report("b-1"), report("c-1"), report("b-2")]);
    expect(store.writes[0]!.fragments.map(({ hostId }) => hostId)).toEqual(["h"]);
    expect(lanes).toEqual(["b", "c"]);
    expect(others.writes.map(({ fragments }) => fragments.map(({ hostId }) => hostId))).toEqual([
      ["b-1", "b-2"],
      ["c-1"],
    ]);
    store.writes[0]!.finish();
    others.writes[0]!.finish([stored, { status: "stored", durability: "process", copies: 1 }]);
    others.writes[1]!.finish([retry]);
    expect(await outcome).toMatchObject({
      reportsStored: 3,
      durability: "process",
      refusals: [{ reportIndex: 2, message: "the disk is full" }],
    });
  });

  it("does not let a lane that is slow hold up the store, or another lane", async () => {
    const { store, others, intake, report } = routed();
    for (let i = 0; i < 10; i++) void intake.submit([report(`b-${i}`)]);
    expect([others.writes.length, intake.queued]).toEqual([defaultBatcherOptions.flushesInFlightMax, 8]);
    const mine = intake.submit([report("h"), report("c-1")]);
    store.writes[0]!.finish();
    others.writes.at(-1)!.finish();
    expect(await mine).toMatchObject({ reportsStored: 2 });
  });

  it("takes what another has read to the store, and never on", async () => {
    const { store, others, intake } = routed();
    const fragments = [fragmentFromSamples("b-1", 1, []), fragmentFromSamples("h", 1, [])];
    const fates = intake.take([...fragments, fragments[0]!]);
    expect(store.writes[0]!.fragments).toEqual(fragments);
    store.writes[0]!.finish([stored, retry]);
    expect(await fates).toEqual([stored, retry, stored]);
    expect(others.writes).toEqual([]);
    expect(await intake.take([])).toEqual([]);
  });
});
