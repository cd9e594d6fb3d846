import { describe, expect, it } from "vitest";
import { MemoryStableStore, RaftNode } from "../../src/index.ts";
import { bytes, Trio } from "./trio.ts";

const coded = (code: string) => expect.objectContaining({ code });

describe("a node", () => {
  it("gives each proposal its index, its term and its result", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    const first = await trio.run(leader.propose(bytes("x")));
    const second = await trio.run(leader.propose(bytes("y")));
    expect(first).toEqual({ index: 3, term: leader.status().term, result: 0 });
    expect(second).toMatchObject({ index: 4, result: 1 });
    await trio.clock.advance(200);
    for (const id of trio.ids) {
      expect(trio.list(id)).toEqual(["x", "y"]);
    }
  });

  it("joins the proposals of a turn into one append and one application (thesis §10.2.2)", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    const before = leader.metrics;
    const batches = trio.machines.get(leader.id)!.batches;
    await trio.run(Promise.all(Array.from({ length: 100 }, (_, at) => leader.propose(bytes(`${at}`)))));
    expect(leader.metrics.appends - before.appends).toBe(1);
    expect(trio.machines.get(leader.id)!.batches - batches).toBe(1);
    expect(leader.metrics.appendedEntries - before.appendedEntries).toBe(100);
  });

  it("joins proposals that come during an append into the next (group commit)", async () => {
    await using trio = new Trio();
    let release: (() => void)[] = [];
    let held = false;
    let appends = 0;
    trio.wrapLog = (_, log) => ({
      open: () => log.open(),
      append: async (batch) => {
        appends++;
        if (held) {
          await new Promise<void>((resolve) => release.push(resolve));
        }
        await log.append(batch);
      },
      entries: (...args) => log.entries(...args),
      compact: (base) => log.compact(base),
      close: () => log.close(),
    });
    const leader = await trio.start();
    for (const id of trio.others(leader.id)) {
      await trio.run(trio.get(id).stop());
    }
    held = true;
    appends = 0;
    const proposals: Promise<unknown>[] = [];
    for (let at = 0; at < 50; at++) {
      proposals.push(leader.propose(bytes(`${at}`)).catch(() => undefined));
      await trio.clock.settle();
    }
    expect(appends).toBe(1);
    release.splice(0).forEach((go) => {
      go();
    });
    await trio.clock.settle();
    expect(appends).toBe(2);
    held = false;
    release.splice(0).forEach((go) => {
      go();
    });
    release = [];
    await trio.clock.settle();
    expect(
      trio.storages.get(leader.id)!.log.image.entries.filter(({ type }) => type === "command").length,
    ).toBe(50);
  });

  it("takes proposals on a follower, and resolves them with the result of its own state machine", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    const follower = trio.get(trio.others(leader.id)[0]!);
    const applied = await trio.run(Promise.all([follower.propose(bytes("x")), follower.propose(bytes("y"))]));
    expect(applied.map(({ result }) => result)).toEqual([0, 1]);
    expect(trio.list(follower.id)).toEqual(["x", "y"]);
  });

  it("refuses proposals on a follower that does not forward, and names the leader", async () => {
    await using trio = new Trio({ forwardProposals: false });
    const leader = await trio.start();
    const follower = trio.get(trio.others(leader.id)[0]!);
    await expect(trio.run(follower.propose(bytes("x")))).rejects.toMatchObject({
      code: "RAFT_NOT_LEADER",
      leaderId: leader.id,
    });
  });

  it("reads what was committed before the read, on any member", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    for (let round = 0; round < 5; round++) {
      await trio.run(leader.propose(bytes(`${round}`)));
      for (const id of trio.ids) {
        const seen = await trio.run(trio.get(id).read(() => trio.list(id).length));
        expect(seen).toBe(round + 1);
      }
    }
  });

  it("does not answer a read that no quorum confirms, and answers one that waited for a leader", async () => {
    await using trio = new Trio({ readTimeoutMs: 3000 });
    const leader = await trio.start();
    trio.network.passes = () => false;
    await expect(trio.run(leader.read(() => "stale"))).rejects.toThrow(coded("RAFT_TIMEOUT"));
    const waiting = trio.get(trio.others(leader.id)[0]!).read(() => "fresh");
    trio.network.passes = () => true;
    expect(await trio.run(waiting)).toBe("fresh");
  });

  it("passes on what a query throws", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    await expect(
      trio.run(
        leader.read(() => {
          throw new Error("no such key");
        }),
      ),
    ).rejects.toThrow("no such key");
  });

  it("knows after a change of leader whether a proposal is in the log or lost for good", async () => {
    await using trio = new Trio({ proposalTimeoutMs: 60_000 });
    const old = await trio.start();
    trio.network.passes = (from, to) => from !== old.id && to !== old.id;
    const lost = old.propose(bytes("lost"));
    lost.catch(() => undefined);
    await trio.clock.advance(100);
    await trio.clock.until(() => trio.others(old.id).some((id) => trio.get(id).status().role === "leader"));
    const next = trio
      .others(old.id)
      .map((id) => trio.get(id))
      .find((node) => node.status().role === "leader")!;
    await trio.run(next.propose(bytes("kept")));
    trio.network.passes = () => true;
    await expect(trio.run(lost)).rejects.toThrow(coded("RAFT_PROPOSAL_LOST"));
    await trio.clock.advance(500);
    expect(trio.list(old.id)).toEqual(["kept"]);
  });

  it("gives a proposal up as unknown when no quorum answers in time", async () => {
    await using trio = new Trio({ proposalTimeoutMs: 2000 });
    const leader = await trio.start();
    trio.network.passes = () => false;
    await expect(trio.run(leader.propose(bytes("x")))).rejects.toThrow(coded("RAFT_OUTCOME_UNKNOWN"));
  });

  it("turns proposals away before memory runs out", async () => {
    await using trio = new Trio({ maxPendingProposals: 10, maxEntryBytes: 100 });
    const leader = await trio.start();
    trio.network.passes = () => false;
    const pending = Array.from({ length: 10 }, () => leader.propose(bytes("x")));
    for (const promise of pending) {
      promise.catch(() => undefined);
    }
    await expect(leader.propose(bytes("x"))).rejects.toThrow(coded("RAFT_OVERLOADED"));
    await expect(leader.propose(new Uint8Array(101))).rejects.toThrow(coded("RAFT_PROPOSAL_TOO_LARGE"));
    expect(leader.metrics.overloads).toBe(1);
    trio.network.passes = () => true;
    await trio.run(Promise.allSettled(pending));
    await trio.elected();
    await trio.run(trio.get(trio.ids[0]!).propose(bytes("y")));
  });

  it("gives up waiting when it is told to", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    trio.network.passes = () => false;
    const controller = new AbortController();
    const proposal = leader.propose(bytes("x"), { signal: controller.signal });
    const read = leader.read(() => 1, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(proposal).rejects.toMatchObject({ name: "AbortError" });
    await expect(read).rejects.toMatchObject({ name: "AbortError" });
  });

  it("hands leadership over on request, from any node", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    const [target] = trio.others(leader.id);
    await trio.run(leader.transferLeadership(target));
    expect((await trio.elected()).id).toBe(target);
    await trio.run(trio.get(target!).transferLeadership());
    expect((await trio.elected()).id).not.toBe(target);
    const third = trio.others(trio.get(target!).status().leaderId!)[0]!;
    await trio.run(trio.get(third).transferLeadership(third));
    expect((await trio.elected()).id).toBe(third);
  });

  it("says so when a transfer fails, is refused or cannot be", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    const [dead] = trio.others(leader.id);
    await trio.run(trio.get(dead!).stop());
    await expect(trio.run(leader.transferLeadership(leader.id))).rejects.toThrow(
      coded("RAFT_TRANSFER_REFUSED"),
    );
    await expect(trio.run(leader.transferLeadership("nobody"))).rejects.toThrow(
      coded("RAFT_TRANSFER_REFUSED"),
    );
    await expect(trio.run(leader.transferLeadership(dead))).rejects.toThrow(coded("RAFT_TRANSFER_FAILED"));
    await trio.run(leader.propose(bytes("x")));
  });

  it("grows, promotes and shrinks its cluster while it works", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    await trio.run(leader.propose(bytes("x")));
    await trio.make("d", { bootstrap: undefined }).start();
    expect(await trio.run(leader.addLearner("d"))).toMatchObject({ learners: ["d"] });
    await expect(trio.run(leader.promote("a"))).rejects.toThrow(coded("RAFT_CHANGE_REFUSED"));
    expect(await trio.run(leader.promote("d"))).toMatchObject({
      voters: ["a", "b", "c", "d"],
      votersOutgoing: [],
    });
    const [gone] = trio.others(leader.id);
    // Asked for on another node than the leader.
    expect((await trio.run(trio.get("d").remove(gone!))).voters).not.toContain(gone);
    await trio.run(leader.remove(leader.id));
    await trio.run(trio.get(leader.id).stop());
    await trio.run(trio.get(gone!).stop());
    const next = await trio.elected();
    await trio.run(next.propose(bytes("y")));
    expect(trio.list("d")).toEqual(["x", "y"]);
  });

  it("refuses a second change, and the removal of the last voter", async () => {
    await using trio = new Trio({}, ["a"]);
    const leader = await trio.start();
    await expect(trio.run(leader.remove("a"))).rejects.toThrow(coded("RAFT_CHANGE_REFUSED"));
    const first = leader.addVoter("b");
    first.catch(() => undefined);
    await expect(leader.addLearner("c")).rejects.toThrow(coded("RAFT_CHANGE_IN_PROGRESS"));
  });

  it("tells what happens to it", async () => {
    await using trio = new Trio({}, ["a"]);
    const seen: unknown[] = [];
    const node = trio.make("a");
    node.on("roleChanged", ({ role }) => seen.push(role));
    node.on("leaderChanged", ({ leaderId }) => seen.push(["leader", leaderId]));
    node.on("configChanged", ({ conf }) => seen.push(["voters", ...conf.voters]));
    await node.start();
    await trio.elected();
    await trio.clock.advance(10);
    expect(seen).toEqual(["candidate", "leader", ["leader", "a"], ["voters", "a"]]);
  });

  it("counts what it does", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    await trio.run(leader.propose(bytes("x")));
    await trio.run(leader.read(() => 1));
    expect(leader.metrics).toMatchObject({ proposals: 1, reads: 1, appliedEntries: 3, messagesRefused: 0 });
    expect(leader.metrics.messagesSent).toBeGreaterThan(0);
  });
});

describe("snapshots", () => {
  it("are taken by themselves, let the log go, and bring a member that lags up to date", async () => {
    await using trio = new Trio({ snapshotEveryEntries: 10, trailingEntries: 2 });
    const leader = await trio.start();
    const [away] = trio.others(leader.id);
    await trio.run(trio.get(away!).stop());
    for (let at = 0; at < 35; at++) {
      await trio.run(leader.propose(bytes(`${at}`)));
    }
    await trio.clock.advance(100);
    expect(leader.metrics.snapshotsTaken).toBeGreaterThanOrEqual(3);
    expect(trio.storages.get(leader.id)!.log.image.entries.length).toBeLessThan(20);
    const back = trio.make(away!);
    const installed: number[] = [];
    back.on("snapshotInstalled", ({ index }) => installed.push(index));
    await back.start();
    await trio.clock.until(() => trio.list(away!).length === 35);
    expect(trio.list(away!)).toEqual(trio.list(leader.id));
    expect(installed.length).toBe(1);
  });

  it("are what a node starts from, and nothing is applied twice", async () => {
    await using trio = new Trio({ snapshotEveryEntries: 0, trailingEntries: 0 });
    const leader = await trio.start();
    await trio.run(leader.propose(bytes("x")));
    const meta = await trio.run(leader.snapshot());
    expect(meta.index).toBe(3);
    expect(await trio.run(leader.snapshot())).toEqual(meta);
    await trio.run(leader.propose(bytes("y")));
    await trio.run(leader.stop());
    const again = trio.make(leader.id);
    await again.start();
    await trio.clock.until(() => trio.list(leader.id).length === 2);
    expect(trio.list(leader.id)).toEqual(["x", "y"]);
    expect(trio.machines.get(leader.id)!.indexes).not.toContain(3);
  });

  it("wait until there is something to take", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    const joining = trio.make("d", { bootstrap: undefined });
    await joining.start();
    const snapshot = joining.snapshot();
    await trio.clock.advance(500);
    await trio.run(leader.addLearner("d"));
    expect((await trio.run(snapshot)).index).toBeGreaterThan(0);
  });

  it("that are damaged on the way are not installed", async () => {
    await using trio = new Trio({ snapshotEveryEntries: 5, trailingEntries: 0 });
    const leader = await trio.start();
    const [away] = trio.others(leader.id);
    await trio.run(trio.get(away!).stop());
    for (let at = 0; at < 12; at++) {
      await trio.run(leader.propose(bytes(`${at}`)));
    }
    const { snapshots } = trio.storages.get(leader.id)!;
    const open = snapshots.open.bind(snapshots);
    let damaged = 0;
    snapshots.open = async function* (position) {
      for await (const chunk of open(position)) {
        const copy = new Uint8Array(chunk);
        if (damaged < 2) {
          damaged++;
          copy[0]! ^= 1;
        }
        yield copy;
      }
    };
    const errors: string[] = [];
    leader.on("degraded", ({ error }) => errors.push(error.code));
    await trio.make(away!).start();
    await trio.clock.until(() => trio.list(away!).length === 12);
    expect(errors).toEqual(["RAFT_SNAPSHOT_CORRUPT", "RAFT_SNAPSHOT_CORRUPT"]);
  });
});

describe("identity", () => {
  it("a node whose storage was lost is refused under its old name, and welcome after its removal", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    await trio.run(leader.propose(bytes("x")));
    const [wiped] = trio.others(leader.id);
    await trio.run(trio.get(wiped!).stop());
    trio.storages.delete(wiped!);
    const refused: string[] = [];
    leader.on("degraded", ({ error }) => refused.push(error.code));
    await trio.make(wiped!).start();
    await trio.clock.advance(5000);
    expect(new Set(refused)).toEqual(new Set(["RAFT_WRONG_INCARNATION"]));
    expect(trio.list(wiped!)).toEqual([]);
    await trio.run(trio.get(wiped!).stop());
    await trio.run(leader.remove(wiped!));
    trio.storages.delete(wiped!);
    await trio.make(wiped!, { bootstrap: undefined }).start();
    await trio.run(leader.addVoter(wiped!));
    await trio.clock.advance(1000);
    expect(trio.list(wiped!)).toEqual(["x"]);
  });

  it("a node of another cluster is refused", async () => {
    await using trio = new Trio({}, ["a", "b"]);
    const refused: string[] = [];
    const a = trio.make("a");
    a.on("degraded", ({ error }) => refused.push(error.code));
    await a.start();
    await trio.make("b", { clusterId: "other" }).start();
    await trio.clock.advance(5000);
    expect(new Set(refused)).toEqual(new Set(["RAFT_WRONG_CLUSTER"]));
    expect(a.status().leaderId).toBeUndefined();
  });

  it("storage of somebody else, or with a part missing, is not started on", async () => {
    const trio = new Trio({}, ["a"]);
    await (await trio.start()).stop();
    const { log, stable } = trio.storages.get("a")!;
    await expect(trio.make("a", { clusterId: "other" }).start()).rejects.toThrow(coded("RAFT_WRONG_CLUSTER"));
    const other = new MemoryStableStore({
      ...stable.state!,
      identity: { ...stable.state!.identity, nodeId: "z" },
    });
    trio.storages.set("a", { ...trio.storages.get("a")!, stable: other });
    await expect(trio.make("a").start()).rejects.toThrow(coded("RAFT_WRONG_NODE"));
    trio.storages.set("a", { ...trio.storages.get("a")!, stable: new MemoryStableStore() });
    await expect(trio.make("a").start()).rejects.toThrow(coded("RAFT_LOG_CORRUPT"));
    trio.storages.set("a", { ...trio.storages.get("a")!, stable });
    log.image.hardState = undefined;
    log.image.entries = [];
    await expect(trio.make("a").start()).rejects.toThrow(coded("RAFT_LOG_CORRUPT"));
    expect(trio.get("a").state).toBe("failed");
  });
});

describe("life", () => {
  it("stop is safe before start, idempotent, and ends what waits", async () => {
    const trio = new Trio();
    const idle = trio.make("z");
    await idle.stop();
    expect(idle.state).toBe("stopped");
    await expect(idle.start()).rejects.toThrow(coded("RAFT_STOPPED"));
    const leader = await trio.start();
    trio.network.passes = () => false;
    const proposal = leader.propose(bytes("x"));
    const queued = [proposal, leader.read(() => 1)];
    await trio.clock.settle();
    await Promise.all([leader.stop(), leader.stop()]);
    const outcomes = await Promise.allSettled(queued);
    expect(outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason.code)).toEqual([
      "RAFT_OUTCOME_UNKNOWN",
      "RAFT_STOPPED",
    ]);
    await expect(leader.propose(bytes("x"))).rejects.toThrow(coded("RAFT_STOPPED"));
    expect(() => leader.status()).toThrow(coded("RAFT_STOPPED"));
    await trio.stop();
  });

  it("a leader that stops names a successor, which leads within a heartbeat", async () => {
    await using trio = new Trio();
    const leader = await trio.start();
    await trio.clock.advance(500);
    await trio.run(leader.stop());
    await trio.clock.advance(50);
    expect(trio.others(leader.id).some((id) => trio.get(id).status().role === "leader")).toBe(true);
  });

  it("options are checked", () => {
    const trio = new Trio();
    const wrong = [
      { tickMs: 0 },
      { heartbeatMs: 10 },
      { electionTimeoutMs: 100 },
      { snapshotEveryEntries: -1 },
    ];
    for (const config of wrong) {
      expect(() => trio.make("a", config)).toThrow(RangeError);
    }
    expect(() => trio.make("a", { forwardProposals: 1 as never })).toThrow(TypeError);
    expect(trio.make("a")).toBeInstanceOf(RaftNode);
  });
});
