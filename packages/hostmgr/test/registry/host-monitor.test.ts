import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FeedItem, HostMonitor } from "../../src/index.ts";
import { Brokers } from "../support/brokers.ts";

const round = 30_000;
const hostIds = (count: number): string[] => Array.from({ length: count }, (_, i) => `host-${i}`);

/** One broker, whose hosts are healthy. */
async function alone(count: number, options = {}): Promise<Brokers> {
  const world = new Brokers(["a"], () => "a", options);
  world.start();
  for (const id of hostIds(count)) world.report(id);
  await world.clock.advance(2 * round + 5_000);
  return world;
}

function states(monitor: HostMonitor): Record<string, number> {
  return Object.fromEntries(monitor.page().byState);
}

/** What a feed has told so far, in short. */
function told(monitor: HostMonitor): string[] {
  const lines: string[] = [];
  const line = (item: FeedItem): string =>
    item.is === "missed"
      ? `missed ${item.count}`
      : `${item.transition.key}: ${item.transition.from} → ${item.transition.to}, ${item.transition.reason}`;
  void (async () => {
    for await (const item of monitor.watch()) lines.push(line(item));
  })();
  return lines;
}

describe("a host", () => {
  it("is registered by its first report, checked, down after three failures and healthy after two successes", async () => {
    await using world = new Brokers(["a"], () => "a");
    const { monitor, probed } = world.broker("a");
    world.start();
    const lines = told(monitor);
    world.report("web");
    while (probed.length < 2) await world.clock.advance(1_000);
    world.dead.add("web");
    await world.clock.advance(3 * round);
    world.dead.clear();
    await world.clock.advance(2 * round + 1_000);
    expect(lines).toEqual([
      "web: undefined → registered, nothing is known of its health",
      "web: registered → healthy, all checks pass",
      "web: healthy → down, a check fails",
      "web: down → healthy, all checks pass",
    ]);
    expect(
      monitor
        .host("web")
        ?.strip.map(({ status }) => status[0])
        .join(""),
    ).toBe("ppcccpp");
    expect(world.broker("a").fsm.record("web")).toMatchObject({
      state: "healthy",
      reason: "all checks pass",
    });
  });

  it("is down when its heartbeats are missing, within a few seconds of three", async () => {
    await using world = await alone(1);
    const { monitor } = world.broker("a");
    const beganMs = world.clock.now();
    monitor.heartbeat("host-0", beganMs);
    await world.clock.advance(89_000);
    expect(monitor.host("host-0")?.state).toBe("suspect");
    await world.clock.advance(7_000);
    const fall = monitor.host("host-0")!;
    expect([fall.state, fall.transitions.at(-1)?.reason]).toEqual(["down", "its heartbeat is overdue"]);
    expect(fall.sinceMs - beganMs).toBeLessThanOrEqual(95_000);
  });

  it("never shows noise of fewer than three failures in a row", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 5, maxLength: 15 }),
        async (bursts) => {
          const world = await alone(1);
          const lines = told(world.broker("a").monitor);
          for (const failures of bursts) {
            world.dead.add("host-0");
            await world.clock.advance(failures * round);
            world.dead.clear();
            await world.clock.advance(round);
          }
          expect(lines).toEqual([]);
          await world[Symbol.asyncDispose]();
        },
      ),
      { numRuns: 20 },
    );
  });

  it("that becomes known, and is restarted once, is not flapping", async () => {
    await using world = new Brokers(["a"], () => "a", {}, []);
    const { monitor, fsm } = world.broker("a");
    world.start();
    const address = "10.0.0.1:7410";
    for (const more of [{}, { hostId: "web" }, { hostId: "web", source: "report" as const }]) {
      monitor.see({ source: "scan", address, atMs: world.clock.now(), ...more });
      await world.clock.advance(2_000);
    }
    monitor.heartbeat("web", world.clock.now());
    await world.clock.advance(100_000);
    monitor.heartbeat("web", world.clock.now());
    await world.clock.advance(11_000);
    expect(monitor.host("web")?.transitions.map(({ to }) => to)).toEqual([
      "discovered",
      "identified",
      "registered",
      "healthy",
      "suspect",
      "down",
      "healthy",
    ]);
    expect(fsm.record("web")).toMatchObject({ state: "healthy", isFlapping: false });
  });

  it("that is gone is not checked, not agreed on, and does not come back by what was on its way", async () => {
    await using world = await alone(3);
    const { monitor, fsm, probed } = world.broker("a");
    expect(fsm.size).toBe(3);
    monitor.unsee("host-1", "report");
    // Somebody's image of all, before the word of its end.
    monitor.agreedOn(undefined);
    probed.length = 0;
    await world.clock.advance(2 * round);
    expect([fsm.size, monitor.stats().mine, monitor.stats().hosts]).toEqual([2, 2, 2]);
    expect(new Set(probed)).toEqual(new Set(["host-0", "host-2"]));
    world.report("host-1");
    await world.clock.advance(2 * round);
    expect([fsm.size, monitor.stats().mine]).toEqual([3, 3]);
  });

  it("that is forgotten is gone everywhere", async () => {
    const world = new Brokers(["a", "b"], () => "a", { registry: { forgetAfterMs: 300_000 } });
    world.start();
    world.report("web");
    world.dead.add("web");
    await world.clock.advance(120_000);
    expect(states(world.broker("b").monitor)).toEqual({ down: 1 });
    const lines = told(world.broker("a").monitor);
    await world.clock.advance(400_000);
    expect(lines).toEqual(["web: down → forgotten, down for 300000 ms"]);
    for (const { monitor, fsm } of world.brokers) expect([monitor.stats().hosts, fsm.size]).toEqual([0, 0]);
    await world[Symbol.asyncDispose]();
  });

  it("that was known by its address at one broker and says who it is to another is one", async () => {
    await using world = new Brokers(["a", "b"], (key) => (key.startsWith("[") ? "a" : "b"));
    world.start();
    const [a, b] = [world.broker("a").monitor, world.broker("b").monitor];
    a.see({ source: "scan", address: "10.0.0.1:7410", atMs: world.clock.now() });
    await world.clock.advance(20_000);
    expect(b.page().hosts.map(({ key }) => key)).toEqual(["[10.0.0.1:7410]"]);
    const sighting = {
      source: "scan",
      address: "10.0.0.1:7410",
      hostId: "web",
      atMs: world.clock.now(),
    } as const;
    expect(a.see(sighting)).toBe("b");
    b.see(sighting);
    await world.clock.advance(40_000);
    for (const { monitor, fsm } of world.brokers)
      expect([monitor.page().hosts.map(({ key }) => key), fsm.size]).toEqual([["web"], 1]);
  });
});

describe("brokers", () => {
  const half = (key: string): string => (Number(key.split("-")[1]) % 2 === 0 ? "a" : "b");

  it("watch their own hosts alone, and know of the others what is agreed on", async () => {
    await using world = new Brokers(["a", "b"], half);
    world.start();
    const lines = told(world.broker("b").monitor);
    for (const id of hostIds(6)) world.report(id);
    await world.clock.advance(90_000);
    expect(new Set(world.broker("a").probed)).toEqual(new Set(["host-0", "host-2", "host-4"]));
    for (const { monitor } of world.brokers) expect(states(monitor)).toEqual({ healthy: 6 });
    expect(lines).toContain("host-0: registered → healthy, all checks pass");
    expect(world.broker("a").monitor.see({ source: "report", hostId: "host-1", atMs: 0 })).toBe("b");
  });

  it.each([
    ["by hand-over", true, 1],
    ["by a hand-over that is there before the ring has changed", "early", 1],
    ["when the one before is gone without a word", false, 3],
  ])("go on with thresholds where the one before was, %s", async (_, handsOver, roundsToFall) => {
    await using world = new Brokers(["a", "b"], () => "a");
    world.handsOver = handsOver !== false;
    world.start();
    world.report("web");
    await world.clock.advance(90_000);
    // Just after a check, so that rounds are whole.
    world.dead.add("web");
    while (world.broker("a").monitor.host("web")?.checks.get("tcp")?.failures !== 2)
      await world.clock.advance(1_000);
    await world.reshare(() => "b", handsOver === "early" ? 100 : 0);
    const lines = told(world.broker("b").monitor);
    const back = told(world.broker("a").monitor);
    await world.clock.advance((roundsToFall - 1) * round);
    expect(lines).toEqual([]);
    await world.clock.advance(round + 1_000);
    expect(lines).toEqual(["web: healthy → down, a check fails"]);
    // Back to the first, which must not take it for healthy before two successes.
    await world.clock.advance(20_000);
    expect(back).toEqual(["web: healthy → down, a check fails"]);
    world.dead.clear();
    await world.reshare(() => "a");
    await world.clock.advance(round - 2_000);
    expect(back).toHaveLength(1);
    await world.clock.advance(round + 3_000);
    expect(back.slice(1)).toEqual(["web: down → healthy, all checks pass"]);
  });

  it("wait for a whole interval of heartbeats when they take a host over without a word", async () => {
    await using world = new Brokers(["a", "b"], () => "a", {}, []);
    world.handsOver = false;
    world.start();
    world.report("web");
    world.broker("a").monitor.heartbeat("web", world.clock.now());
    await world.clock.advance(40_000);
    const lines = told(world.broker("b").monitor);
    await world.reshare(() => "b");
    await world.clock.advance(40_000);
    expect(lines).toEqual([]);
    await world.clock.advance(60_000);
    expect(lines).toEqual([
      "web: healthy → suspect, its heartbeat is late",
      "web: suspect → down, its heartbeat is overdue",
    ]);
  });
});

describe("a broker that doubts itself", () => {
  it("calls no host down that another finds up", async () => {
    await using world = new Brokers(["a", "b"], () => "a", { guard: { shareMax: 1 } });
    world.start();
    for (const id of hostIds(20)) world.report(id);
    await world.clock.advance(90_000);
    const { monitor } = world.broker("a");
    for (const id of hostIds(15)) world.dead.add(`a>${id}`);
    await world.clock.advance(6 * round);
    expect(states(monitor)).toEqual({ healthy: 5, suspect: 15 });
    expect(monitor.doubt?.reason).toMatch(/^\d+ of \d+ hosts failed within a round$/);
    expect(monitor.host("host-0")?.transitions.at(-1)?.reason).toBe("a check fails; not confirmed");
    // One of them is dead indeed.
    world.dead.add("host-3");
    await world.clock.advance(4 * round);
    expect(states(monitor)).toEqual({ healthy: 5, suspect: 14, down: 1 });
    world.dead.clear();
    await world.clock.advance(8 * round);
    expect([states(monitor), monitor.doubt]).toEqual([{ healthy: 20 }, undefined]);
  });

  it("for its event loop is late asks, too", async () => {
    await using world = new Brokers(["a", "b"], () => "a");
    world.start();
    for (const id of hostIds(20)) world.report(id);
    await world.clock.advance(90_000);
    world.lagMs.set("a", 500);
    world.dead.add("a>host-1");
    await world.clock.advance(4 * round);
    expect(states(world.broker("a").monitor)).toEqual({ healthy: 19, suspect: 1 });
    world.lagMs.clear();
    await world.clock.advance(8 * round);
    expect(states(world.broker("a").monitor)).toEqual({ healthy: 19, down: 1 });
  });
});

describe("when many hosts fail at once", () => {
  it("no more than 15 % of them are called down until somebody says so", async () => {
    await using world = await alone(20);
    const { monitor } = world.broker("a");
    for (const id of hostIds(8)) world.dead.add(id);
    await world.clock.advance(4 * round);
    expect(states(monitor)).toEqual({ healthy: 12, suspect: 5, down: 3 });
    expect(monitor.alarm).toMatchObject({ endsAtMs: undefined });
    expect(monitor.alarm!.failing / monitor.alarm!.of).toBeGreaterThan(0.15);
    monitor.force();
    await world.clock.advance(6_000);
    expect([states(monitor), monitor.alarm]).toEqual([{ healthy: 12, down: 8 }, undefined]);
  });

  it("and come back, the guard lets go after two good windows, and one that is still dead goes down", async () => {
    await using world = await alone(20);
    const { monitor } = world.broker("a");
    for (const id of hostIds(8)) world.dead.add(id);
    await world.clock.advance(4 * round);
    world.dead.clear();
    world.dead.add("host-0");
    await world.clock.advance(2 * round + 6_000);
    expect(states(monitor)).toEqual({ healthy: 19, suspect: 1 });
    expect(monitor.alarm?.endsAtMs).toBeGreaterThan(world.clock.now());
    await world.clock.advance(245_000);
    expect([states(monitor), monitor.alarm]).toEqual([{ healthy: 19, down: 1 }, undefined]);
  });

  it("by being taken off on purpose, nobody is alarmed", async () => {
    await using world = await alone(20);
    const { monitor } = world.broker("a");
    for (const id of hostIds(15)) monitor.unsee(id, "report");
    world.dead.add("host-19");
    await world.clock.advance(4 * round);
    // One of five is more than 15 %, though; the guard says what it has entered with.
    expect(monitor.alarm).toMatchObject({ failing: 1, of: 5 });
    monitor.unsee("host-18", "report");
    await world.clock.advance(300_000);
    expect([states(monitor), monitor.alarm]).toEqual([{ healthy: 3, down: 1 }, undefined]);
  });
});

it("a monitor leaves no timer behind, and its watchers end", async () => {
  const world = await alone(5);
  const items = world.broker("a").monitor.watch();
  const next = items.next();
  await world[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  expect([world.clock.timers, (await next).done]).toEqual([0, true]);
});

it("a broker that has room for fewer hosts forgets none of the others'", async () => {
  await using world = await alone(5);
  const small = new Brokers(["a"], () => "a", { registry: { hostsMax: 2 } });
  const data = world.broker("a").fsm.snapshot().chunks();
  await small.broker("a").fsm.restore(
    (async function* () {
      yield* data;
    })(),
  );
  small.start();
  await small.clock.advance(60_000);
  expect([small.broker("a").monitor.stats().hosts, small.broker("a").fsm.size]).toEqual([2, 5]);
  await small[Symbol.asyncDispose]();
});
