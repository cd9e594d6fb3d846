import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type CheckOutcome,
  type CheckResult,
  CheckScheduler,
  type CheckSchedulerOptions,
  nextTurnMs,
  type ScheduledCheck,
} from "../../src/index.ts";
import { settle, VirtualClock } from "../support/virtual-clock.ts";

const passing: CheckOutcome = { status: "passing", output: "" };

interface Told extends CheckResult {
  readonly hostKey: string;
}

function setUp(options: Partial<CheckSchedulerOptions> = {}, stretch: () => number = () => 1) {
  const clock = new VirtualClock();
  const told: Told[] = [];
  const scheduler = new CheckScheduler(
    { clock, checked: (hostKey, result) => told.push({ hostKey, ...result }), stretch },
    options,
  );
  return { clock, told, scheduler };
}

/** A check that takes as long as it is told, and ends when it is told to. */
function check(
  clock: VirtualClock,
  tookMs: () => number,
  more: Partial<ScheduledCheck> = {},
): ScheduledCheck {
  return {
    checkId: "tcp",
    intervalMs: 30_000,
    timeoutMs: 5_000,
    run: (signal) =>
      new Promise((resolve) => {
        const timer = clock.setTimeout(() => resolve(passing), tookMs());
        signal.addEventListener("abort", () => {
          timer.cancel();
          resolve({ status: "critical", output: "aborted" });
        });
      }),
    ...more,
  };
}

describe("a scheduler", () => {
  it("gives each host its place in the interval, the same after a restart, evenly", async () => {
    const { clock, told, scheduler } = setUp();
    const keys = Array.from({ length: 300 }, (_, i) => `host-${i}`);
    for (const key of keys) scheduler.set(key, [check(clock, () => 1)]);
    scheduler.start();
    await clock.advance(60_000);
    for (const key of keys) {
      const [first, second, ...more] = told.filter(({ hostKey }) => hostKey === key).map(({ atMs }) => atMs);
      expect([second! - first!, more]).toEqual([30_000, []]);
      expect(nextTurnMs(key, 30_000, first! - 1)).toBe(first);
    }
    const tenths = Array.from(
      { length: 10 },
      (_, i) => told.filter(({ atMs }) => Math.floor((atMs % 30_000) / 3_000) === i).length,
    );
    expect(Math.min(...tenths)).toBeGreaterThan(30);
    await scheduler.stop();
    expect(clock.timers).toBe(0);
  });

  it("never runs more at a time than allowed; what waits is late, and that is counted", async () => {
    const { clock, told, scheduler } = setUp({ concurrency: 2 });
    let running = 0;
    let most = 0;
    const slow: ScheduledCheck = {
      ...check(clock, () => 0),
      run: async () => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => void clock.setTimeout(resolve, 4_000));
        running--;
        return passing;
      },
    };
    for (let i = 0; i < 20; i++) scheduler.set(`host-${i}`, [{ ...slow }]);
    scheduler.start();
    await clock.advance(120_000);
    expect(most).toBe(2);
    expect(told.length).toBeGreaterThan(50);
    const { latenessMs, skipped } = scheduler.stats();
    expect(latenessMs.max).toBeGreaterThan(1_000);
    expect(latenessMs.p99).toBeLessThanOrEqual(latenessMs.max);
    expect(skipped).toBeGreaterThan(0);
  });

  it("ends a run when its time is over, and says so at once", async () => {
    const { clock, told, scheduler } = setUp();
    scheduler.set("a", [check(clock, () => 1_000_000)]);
    scheduler.start();
    await clock.advance(90_000);
    expect(told.length).toBeGreaterThanOrEqual(2);
    for (const { status, output, durationMs } of told)
      expect([status, output, durationMs]).toEqual(["critical", "no answer within 5000 ms", 5_000]);
    expect(scheduler.stats()).toMatchObject({ timeouts: told.length, skipped: 0 });
  });

  it("does not begin a check again that has not ended, however long it ignores its signal", async () => {
    const { clock, told, scheduler } = setUp();
    let begun = 0;
    let end = (): void => {};
    const stubborn: ScheduledCheck = {
      ...check(clock, () => 0),
      run: () => {
        begun++;
        return new Promise((resolve) => {
          end = () => resolve(passing);
        });
      },
    };
    scheduler.set("a", [stubborn]);
    scheduler.start();
    await clock.advance(150_000);
    expect([begun, told.length]).toEqual([1, 1]);
    expect(scheduler.stats()).toMatchObject({ running: 1 });
    expect(scheduler.stats().skipped).toBeGreaterThanOrEqual(3);
    end();
    await settle();
    // What came too late is not told: the time was over.
    expect(told).toHaveLength(1);
    await clock.advance(30_000);
    expect(begun).toBe(2);
    end();
    await scheduler.stop();
  });

  it("stretches the time of a run while it is told to, to less than the interval", async () => {
    let factor = 1;
    const { clock, told, scheduler } = setUp({}, () => factor);
    scheduler.set("a", [check(clock, () => 1_000_000)]);
    scheduler.start();
    await clock.advance(40_000);
    factor = 3;
    await clock.advance(30_000);
    factor = 8;
    await clock.advance(60_000);
    const took = told.map(({ durationMs }) => durationMs);
    expect([took[0], took.includes(15_000), took.at(-1)]).toEqual([5_000, true, 27_000]);
  });

  it("refuses a time that is not less than the interval, an id twice, and more checks than allowed", () => {
    const { clock, scheduler } = setUp({ checksMax: 2 });
    const one = check(clock, () => 1);
    expect(() => scheduler.set("a", [{ ...one, timeoutMs: 30_000 }])).toThrow(
      "expected timeoutMs of tcp from 1 to 29999",
    );
    expect(() => scheduler.set("a", [one, { ...one }])).toThrow("ids of their own");
    scheduler.set("a", [one, { ...one, checkId: "b" }]);
    expect(() => scheduler.set("b", [one])).toThrow("expected at most 2 checks, got 3");
    scheduler.set("a", []);
    scheduler.set("b", [one]);
    expect(scheduler.stats().checks).toBe(1);
  });

  it("tells nothing of a check that is not made any more, and ends it", async () => {
    const { clock, told, scheduler } = setUp();
    let aborted = 0;
    const endless: ScheduledCheck = {
      ...check(clock, () => 0),
      run: (signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            aborted++;
            resolve(passing);
          });
        }),
    };
    scheduler.set("a", [endless]);
    scheduler.start();
    await clock.advance(nextTurnMs("a", 30_000, clock.now()) - clock.now() + 1);
    scheduler.set("a", []);
    await settle();
    expect([aborted, told.length, scheduler.stats().running]).toEqual([1, 0, 0]);
  });

  it("goes on when the clock is set back or ahead", async () => {
    const { clock, told, scheduler } = setUp();
    for (let i = 0; i < 20; i++) scheduler.set(`host-${i}`, [check(clock, () => 1)]);
    scheduler.start();
    await clock.advance(60_000);
    const before = told.length;
    clock.set(clock.now() - 3_600_000);
    await clock.advance(60_000);
    expect(told.length - before).toBeGreaterThanOrEqual(20);
    clock.set(clock.now() + 7_200_000);
    const then = told.length;
    await clock.advance(60_000);
    // Once for the turn that was missed, not once for each.
    expect(told.length - then).toBeLessThanOrEqual(61);
  });

  it("ends what runs when it is stopped, and waits for it", async () => {
    const { clock, told, scheduler } = setUp();
    scheduler.set("a", [check(clock, () => 1_000_000, { intervalMs: 1_000, timeoutMs: 999 })]);
    scheduler.start();
    await clock.advance(1_500);
    expect(scheduler.stats().running).toBe(1);
    const count = told.length;
    await scheduler.stop();
    await scheduler.stop();
    expect([scheduler.stats().running, told.length, clock.timers]).toEqual([0, count, 0]);
  });

  it("keeps to its rules whatever comes and goes", async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("set" as const), host: fc.nat(5), checks: fc.nat(3) }),
      fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 5_000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 4 }),
        async (steps, concurrency) => {
          const { clock, told, scheduler } = setUp({ concurrency });
          scheduler.start();
          const running = new Map<string, number>();
          for (const each of steps) {
            if (each.do === "wait") await clock.advance(each.ms);
            else {
              const make = (i: number): ScheduledCheck => ({
                checkId: `c${i}`,
                intervalMs: 1_000,
                timeoutMs: 400,
                run: async (signal) => {
                  const id = `${each.host}/${i}`;
                  running.set(id, (running.get(id) ?? 0) + 1);
                  const outcome = await check(clock, () => 100 * (i + each.host + 1)).run(signal);
                  running.set(id, running.get(id)! - 1);
                  return outcome;
                },
              });
              scheduler.set(
                `h${each.host}`,
                Array.from({ length: each.checks }, (_, i) => make(i)),
              );
            }
            expect(scheduler.stats().running).toBeLessThanOrEqual(concurrency);
          }
          for (const { durationMs } of told) expect(durationMs).toBeLessThanOrEqual(400);
          await scheduler.stop();
          expect([...running.values()].every((count) => count === 0)).toBe(true);
          expect(clock.timers).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });
});

it("10,000 checks of 30 s are run on time with one timer beside those of what runs", async () => {
  const { clock, told, scheduler } = setUp();
  for (let i = 0; i < 10_000; i++)
    scheduler.set(`host-${i}`, [{ ...check(clock, () => 0), run: async () => passing }]);
  scheduler.start();
  await clock.advance(30_000);
  expect(told).toHaveLength(10_000);
  expect(scheduler.stats()).toMatchObject({ running: 0, waiting: 0, skipped: 0, latenessMs: { max: 0 } });
  expect(clock.timers).toBe(1);
});
