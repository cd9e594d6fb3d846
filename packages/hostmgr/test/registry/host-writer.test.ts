import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeHostsCommand,
  FlapDamping,
  HostRegistry,
  type HostsCommand,
  HostsFsm,
  HostWriter,
  type HostWriterOptions,
} from "../../src/index.ts";

const minute = 60_000;

/** A registry, what is agreed on, and a writer between the two. */
function setUp(options: HostWriterOptions = {}) {
  const registry = new HostRegistry();
  const fsm = new HostsFsm();
  const writes: { readonly command: HostsCommand; readonly bytes: number }[] = [];
  const world = { fails: false, isOwn: true };
  const writer = new HostWriter(
    {
      isOwn: () => world.isOwn,
      host: (key) => registry.host(key),
      agreed: (key) => fsm.record(key),
      propose: async (command) => {
        if (world.fails) throw new Error("no leader");
        const data = encodeHostsCommand(command);
        writes.push({ command, bytes: data.length });
        fsm.apply([{ index: 1, term: 1, type: "command", data }] as never);
      },
    },
    0,
    options,
  );
  /** Makes a host fail its check, or pass it, until it shows. */
  const turn = (key: string, isDown: boolean, nowMs: number): void => {
    for (let run = 0; run < 3; run++)
      registry.checked(key, {
        checkId: "c",
        status: isDown ? "critical" : "passing",
        atMs: nowMs,
        durationMs: 1,
        output: "",
      });
    for (const { key: changed } of registry.judge(nowMs, () => true, [key])) writer.changed(changed, nowMs);
  };
  const see = (key: string, nowMs = 0): void => {
    registry.see({ source: "file", hostId: key, atMs: nowMs });
    writer.touched(key);
  };
  return { registry, fsm, writes, writer, world, turn, see };
}

describe("a writer", () => {
  it("writes what is new, once, and nothing when nothing has changed", async () => {
    const { fsm, writes, writer, see, turn } = setUp();
    for (const key of ["a", "b"]) see(key);
    turn("a", false, 1);
    await writer.write(1_000);
    expect(writes).toHaveLength(1);
    expect([fsm.record("a")?.state, fsm.record("b")?.state]).toEqual(["healthy", "discovered"]);
    for (let i = 0; i < 100; i++) {
      see("a", i * minute);
      await writer.write(i * minute);
    }
    expect(writes).toHaveLength(1);
    expect(writer.stats()).toEqual({ writes: 1, failures: 0, behind: 0, flapping: 0 });
  });

  it("writes a lease once, and none of its renewals", async () => {
    const { registry, writes, writer } = setUp();
    for (let i = 0; i < 20; i++) {
      registry.see({ source: "api", hostId: "a", leaseMs: 90_000, atMs: i * 30_000 });
      writer.touched("a");
      await writer.write(i * 30_000);
    }
    expect(writes.map(({ command }) => command.put[0]?.sources)).toEqual([
      [{ source: "api", isLeased: true }],
    ]);
  });

  it("forgets what is gone", async () => {
    const { registry, fsm, writer, see } = setUp();
    see("a");
    await writer.write(1_000);
    registry.unsee("a", "file");
    writer.touched("a");
    await writer.write(2_000);
    expect(fsm.size).toBe(0);
  });

  it("tries again what failed, and counts it", async () => {
    const { fsm, writer, world, see } = setUp();
    world.fails = true;
    see("a");
    await writer.write(1_000);
    expect([fsm.size, writer.stats().failures, writer.stats().behind]).toEqual([0, 1, 1]);
    world.fails = false;
    await writer.write(11_000);
    expect([fsm.size, writer.stats().behind]).toEqual([1, 1]);
    await writer.write(12_000);
    expect(writer.stats().behind).toBe(0);
  });

  it("writes again what came to nothing, because a later word was there", async () => {
    const { fsm, writer, see, writes } = setUp();
    see("a");
    // Somebody whose clock is ahead by a minute.
    const data = encodeHostsCommand({ atMs: minute, put: [], forget: [] });
    fsm.apply([{ index: 1, term: 1, type: "command", data }] as never);
    await writer.write(0);
    const ahead = { ...fsm.record("a")!, agentVersion: "9" };
    const word = encodeHostsCommand({ atMs: minute, put: [ahead], forget: [] });
    fsm.apply([{ index: 1, term: 1, type: "command", data: word }] as never);
    writer.touched("a");
    for (let i = 1; i <= 9; i++) await writer.write(i * 10_000);
    expect(fsm.record("a")?.agentVersion).toBeUndefined();
    expect(writes.length).toBeLessThanOrEqual(8);
  });

  it("leaves to others what is theirs, even when it was given up in the middle of a write", async () => {
    const { fsm, writer, world, registry, see } = setUp();
    see("a");
    await writer.write(1_000);
    registry.unsee("a", "file");
    writer.touched("a");
    world.isOwn = false;
    await writer.write(20_000);
    expect(fsm.size).toBe(1);
  });

  it("marks a host that flaps, keeps the state that it had, and writes its state when it is calm", async () => {
    const { fsm, writes, writer, see, turn } = setUp();
    see("a");
    turn("a", false, 0);
    await writer.write(1_000);
    let now = 0;
    for (let i = 0; i < 40; i++) {
      now += 30_000;
      turn("a", i % 2 === 0, now);
      await writer.write(now + 1_000);
    }
    expect(fsm.record("a")).toMatchObject({ isFlapping: true });
    expect(writes.length).toBeLessThanOrEqual(5);
    turn("a", true, now);
    for (let i = 1; i <= 30; i++) await writer.write(now + i * minute);
    expect(fsm.record("a")).toMatchObject({ isFlapping: false, state: "down" });
    expect(writes.length).toBeLessThanOrEqual(6);
  });

  it("ends up with what is, whatever happens on the way, within its budget", async () => {
    const step = fc.record({
      host: fc.nat(4),
      do: fc.constantFrom("see", "down", "up", "gone", "fail", "work"),
      waitMs: fc.nat(20_000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { registry, fsm, writes, writer, world, see, turn } = setUp();
        let now = 0;
        for (const each of steps) {
          const key = `h${each.host}`;
          now += each.waitMs;
          if (each.do === "see") see(key, now);
          else if (each.do === "gone") {
            registry.unsee(key, "file");
            writer.touched(key);
          } else if (each.do === "fail" || each.do === "work") world.fails = each.do === "fail";
          else if (registry.host(key) !== undefined) turn(key, each.do === "down", now);
          await writer.write(now);
        }
        world.fails = false;
        const busyMs = now;
        expect(writes.length).toBeLessThanOrEqual(6 + Math.ceil(busyMs / 10_000));
        for (let i = 1; i <= 60; i++) await writer.write(now + i * minute);
        expect(
          [...fsm.records()].map(({ key, state, isFlapping }) => [key, state, isFlapping]).sort(),
        ).toEqual([...registry.hosts].map(({ key, state }) => [key, state, false]).sort());
        expect(writer.stats()).toMatchObject({ behind: 0, flapping: 0 });
      }),
      { numRuns: 100 },
    );
  });
});

it("10,000 hosts of which 1 % flap cost six writes a minute at most, and soon hardly any", async () => {
  const { registry, writes, writer, turn } = setUp();
  for (let i = 0; i < 10_000; i++) {
    registry.see({ source: "file", hostId: `h${i}`, atMs: 0 });
    writer.touched(`h${i}`);
  }
  for (const { key } of registry.judge(0)) writer.touched(key);
  let now = 0;
  // Until all are written.
  for (; writer.stats().behind > 0; now += 1_000) await writer.write(now);
  const started = now;
  expect(started).toBeLessThan(5 * minute);
  const perMinute: number[] = [];
  for (let m = 0; m < 60; m++) {
    const before = writes.length;
    for (let second = 0; second < 60; second++) {
      now += 1_000;
      // Each of the hundred changes every minute, at a second of its own.
      for (let i = second; i < 100; i += 60) turn(`h${i}`, m % 2 === 0, now);
      await writer.write(now);
    }
    perMinute.push(writes.length - before);
  }
  // What is saved up may go at once, in any one minute.
  expect(Math.max(...perMinute)).toBeLessThanOrEqual(12);
  expect(perMinute.slice(10).reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(5);
  expect(writer.stats().flapping).toBe(100);
  expect(Math.max(...writes.map(({ bytes }) => bytes))).toBeLessThan(128 * 1_024);
});

describe("damping", () => {
  it("follows a host that changes every five minutes, and not one that does every minute", () => {
    const damping = new FlapDamping();
    for (let i = 0; i < 50; i++) {
      damping.changed("slow", i * 5 * minute);
      damping.changed("quick", i * minute);
    }
    expect([damping.isFlapping("slow"), damping.isFlapping("quick")]).toEqual([false, true]);
  });

  it("calms down within four half-lives, and remembers nothing then", () => {
    const damping = new FlapDamping();
    for (let i = 0; i < 1_000; i++) damping.changed("a", i);
    expect(damping.calm(5 * minute)).toEqual([]);
    expect(damping.calm(20 * minute)).toEqual(["a"]);
    expect([damping.isFlapping("a"), damping.calm(21 * minute)]).toEqual([false, []]);
  });
});
