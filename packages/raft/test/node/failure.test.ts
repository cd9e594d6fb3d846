import { describe, expect, it } from "vitest";
import { type LogBatch, type LogStore, RaftError, type RaftNode, RaftSupervisor } from "../../src/index.ts";
import { bytes, Trio } from "./trio.ts";

const coded = (code: string) => expect.objectContaining({ code });

/** A log whose appends fail or hang when a test says so. */
function brittle(log: LogStore, disk: { state: "fine" | "full" | "hung" }): LogStore {
  const append = async (batch: LogBatch): Promise<void> => {
    if (disk.state === "full") {
      throw new RaftError("RAFT_STORAGE_FAILED", "expected room on the disk, got none");
    }
    if (disk.state === "hung") {
      await new Promise(() => {});
    }
    await log.append(batch);
  };
  return {
    open: () => log.open(),
    append,
    entries: (...args) => log.entries(...args),
    compact: (base) => log.compact(base),
    close: () => (disk.state === "hung" ? new Promise(() => {}) : log.close()),
  };
}

describe("a disk that fails (scenario 38)", () => {
  it("stops the node at once, and the cluster goes on", async () => {
    await using trio = new Trio();
    const disks = new Map<string, { state: "fine" | "full" | "hung" }>();
    trio.wrapLog = (id, log) => {
      disks.set(id, { state: "fine" });
      return brittle(log, disks.get(id)!);
    };
    const leader = await trio.start();
    await trio.clock.advance(500);
    const failures: string[] = [];
    leader.on("failed", ({ error }) => failures.push(error.code));
    disks.get(leader.id)!.state = "full";
    await expect(trio.run(leader.propose(bytes("x")))).rejects.toThrow(coded("RAFT_OUTCOME_UNKNOWN"));
    expect(failures).toEqual(["RAFT_STORAGE_FAILED"]);
    expect(leader.state).toBe("failed");
    await trio.clock.advance(100);
    const next = await trio.elected();
    expect(next.id).not.toBe(leader.id);
    await trio.run(next.propose(bytes("y")));
    // The write that failed is not tried again.
    const { log } = trio.storages.get(leader.id)!;
    expect(log.image.entries.filter(({ type }) => type === "command")).toEqual([]);
  });

  it("a leader whose disk hangs steps down and stops, though it could still talk", async () => {
    await using trio = new Trio({ appendTimeoutMs: 2000 });
    const disks = new Map<string, { state: "fine" | "full" | "hung" }>();
    trio.wrapLog = (id, log) => {
      disks.set(id, { state: "fine" });
      return brittle(log, disks.get(id)!);
    };
    const leader = await trio.start();
    disks.get(leader.id)!.state = "hung";
    leader.propose(bytes("x")).catch(() => undefined);
    await trio.clock.advance(1500);
    expect(leader.state).toBe("running");
    await trio.clock.advance(1000);
    expect(leader).toMatchObject({ state: "failed", failure: { code: "RAFT_STORAGE_HUNG" } });
    const next = await trio.elected();
    await trio.run(next.propose(bytes("y")));
    expect(trio.list(next.id)).toEqual(["x", "y"]);
  });

  it("a supervisor opens the node again when the cause is gone, and it catches up", async () => {
    await using trio = new Trio();
    const disk: { state: "fine" | "full" | "hung" } = { state: "fine" };
    await trio.make("a").start();
    await trio.make("b").start();
    trio.wrapLog = (_, log) => brittle(log, disk);
    const made: RaftNode<number>[] = [];
    await using supervisor = new RaftSupervisor<number>({
      clock: trio.clock,
      backoffMsMin: 100,
      backoffMsMax: 1000,
      create: () => {
        made.push(trio.make("c"));
        return made.at(-1)!;
      },
    });
    const events: unknown[] = [];
    supervisor.on("started", () => events.push("started"));
    supervisor.on("retrying", ({ error, delayMs }) => events.push([error.code, delayMs]));
    await supervisor.start();
    await trio.elected();
    disk.state = "full";
    const a = trio.get("a");
    await trio.run(a.propose(bytes("x")));
    await trio.clock.advance(50);
    expect(supervisor.node).toBeUndefined();
    await trio.run(a.propose(bytes("y")));
    // The node starts from what the disk has, fails with the next write, and is tried again, less and less often.
    await trio.clock.advance(5000);
    disk.state = "fine";
    await trio.clock.until(() => trio.list("c").length === 2);
    expect(trio.list("c")).toEqual(["x", "y"]);
    expect(made.length).toBeGreaterThan(2);
    const delays = events.flatMap((event) => (Array.isArray(event) ? [event[1]] : []));
    expect(delays.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(events[0]).toBe("started");
    expect(supervisor.node).toBe(made.at(-1));
  });

  it("a supervisor waits longer each time while the storage cannot even be opened", async () => {
    const trio = new Trio({}, ["a"]);
    let locked = true;
    trio.wrapLog = (_, log) => ({
      open: async () => {
        if (locked) {
          throw new RaftError("RAFT_STORAGE_LOCKED", "expected the storage to be free");
        }
        return await log.open();
      },
      append: (batch) => log.append(batch),
      entries: (...args) => log.entries(...args),
      compact: (base) => log.compact(base),
      close: () => log.close(),
    });
    const delays: number[] = [];
    await using supervisor = new RaftSupervisor<number>({
      clock: trio.clock,
      backoffMsMin: 100,
      backoffMsMax: 400,
      create: () => trio.make("a"),
    });
    supervisor.on("retrying", ({ delayMs }) => delays.push(delayMs));
    await supervisor.start();
    await trio.clock.advance(2000);
    expect(delays).toEqual([100, 200, 400, 400, 400, 400, 400]);
    locked = false;
    await trio.clock.advance(3000);
    expect(supervisor.node?.status().role).toBe("leader");
  });

  it("a supervisor gives up on what another attempt does not mend", async () => {
    const trio = new Trio({}, ["a"]);
    trio.prepare = (machine) => {
      machine.apply = () => {
        throw new Error("a bug");
      };
    };
    const gaveUp: string[] = [];
    await using supervisor = new RaftSupervisor<number>({ clock: trio.clock, create: () => trio.make("a") });
    supervisor.on("gaveUp", ({ error }) => gaveUp.push(error.code));
    await supervisor.start();
    await trio.elected();
    trio
      .get("a")
      .propose(bytes("x"))
      .catch(() => undefined);
    await trio.clock.advance(100);
    expect(gaveUp).toEqual(["RAFT_FSM_FAILED"]);
    expect(supervisor.node).toBeUndefined();
  });
});

describe("an event loop that was held up", () => {
  it("counts one tick for all it missed, and so begins no election", async () => {
    await using trio = new Trio({ tickMs: 50 });
    const leader = await trio.start();
    const { term } = leader.status();
    const ticks = leader.metrics.ticks;
    await trio.clock.stall(30_000);
    expect(leader.metrics.ticks - ticks).toBeLessThanOrEqual(1);
    expect(leader.metrics.tickDelayMsMax).toBeGreaterThan(29_000);
    await trio.clock.advance(3000);
    for (const id of trio.ids) {
      expect(trio.get(id).status()).toMatchObject({ term, leaderId: leader.id });
    }
  });
});

describe("a state machine", () => {
  it("that fails stops its node", async () => {
    await using trio = new Trio();
    trio.prepare = (machine, id) => {
      if (id === "b") {
        machine.apply = () => [];
      }
    };
    const leader = await trio.start();
    leader.propose(bytes("x")).catch(() => undefined);
    await trio.clock.advance(1000);
    expect(trio.get("b")).toMatchObject({ state: "failed", failure: { code: "RAFT_FSM_FAILED" } });
  });

  it("that differs from the others is named, wherever it is", async () => {
    for (const strange of ["a", "b", "c"]) {
      await using trio = new Trio({ hashEveryEntries: 10 });
      trio.prepare = (machine, id) => {
        machine.hash = () =>
          `${machine.list.length} ${id === strange && machine.list.length > 15 ? "wrong" : ""}`;
      };
      const named: unknown[] = [];
      for (const id of trio.ids) {
        trio.make(id).on("diverged", (event) => named.push(event));
        await trio.get(id).start();
      }
      await trio.elected();
      const sound = trio.get(strange === "a" ? "b" : "a");
      for (let at = 0; at < 25; at++) {
        await trio.run(sound.propose(bytes(`${at}`)));
      }
      await trio.clock.advance(1000);
      expect(named).toContainEqual({ index: 20, ids: [strange] });
      expect(named.filter((event) => (event as { index: number }).index === 10)).toEqual([]);
    }
  });
});
