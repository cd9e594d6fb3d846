import { describe, expect, it } from "vitest";
import { RawNode, type SnapshotMessage, type SnapshotMeta } from "../../src/index.ts";
import { Cluster, entry, seeded } from "./cluster.ts";

const three = ["a", "b", "c"];

function meta(index: number, term: number, rest: Partial<SnapshotMeta> = {}): SnapshotMeta {
  const conf = { voters: three, learners: [], votersOutgoing: [], learnersNext: [] };
  return { index, term, conf, confIndex: 1, sizeBytes: 0, crc32: 0, ...rest };
}

function install(term: number, snapshot: SnapshotMeta): SnapshotMessage {
  return { type: "snapshot", from: "a", to: "b", term, session: 1, snapshot };
}

describe("a snapshot (§7)", () => {
  it("lets the log before it go, but for the trailing entries", () => {
    const cluster = new Cluster(["a"], { trailingEntries: 3 });
    const a = cluster.elect("a");
    cluster.propose("a", "1", "2", "3", "4", "5", "6");
    cluster.settle();
    expect(a.takeSnapshot()).toMatchObject({ index: 8, term: 2, confIndex: 1 });
    expect(a.status.base).toEqual({ index: 5, term: 2 });
    expect(a.disk.entries.map(({ index }) => index)).toEqual([6, 7, 8]);
    cluster.restart("a");
    cluster.tick(30);
    expect(a.commands).toEqual(["1", "2", "3", "4", "5", "6"]);
    expect(a.status.conf.voters).toEqual(["a"]);
  });

  it("carries the membership of its index, not a newer one (scenario 35)", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    cluster.propose("a", "x");
    cluster.settle();
    a.slowFsm = true;
    cluster.change("a", ["addLearner", "l"]);
    cluster.settle();
    expect(a.status.committed).toBe(4);
    expect(a.takeSnapshot()).toMatchObject({ index: 3, conf: { learners: [] }, confIndex: 1 });
    a.slowFsm = false;
    a.finishApply();
    expect(a.takeSnapshot()).toMatchObject({ index: 4, conf: { learners: ["l"] }, confIndex: 4 });
  });

  it("taken while the membership is joint is restored joint, and the joint membership still ends (scenario 35)", () => {
    const cluster = new Cluster(three, { trailingEntries: 0 });
    const a = cluster.elect("a");
    cluster.addNode("d");
    cluster.change("a", ["addVoter", "d"]);
    const joint = a.status.confIndex;
    cluster.passes = (message) =>
      message.to !== "c" &&
      (message.type !== "append" || message.entries.every(({ index }) => index <= joint));
    cluster.settle();
    expect(a.status.applied).toBe(joint);
    expect(a.takeSnapshot().conf.votersOutgoing).toEqual(three);
    cluster.passes = ({ type, to }) => type !== "append" || to === "c";
    cluster.tick(2, ["a"]);
    expect(cluster.get("c").snapshot?.conf.votersOutgoing).toEqual(three);
    cluster.heal();
    cluster.tick(3);
    for (const { status } of cluster.nodes.values()) {
      expect(status.conf).toEqual({
        voters: ["a", "b", "c", "d"],
        learners: [],
        votersOutgoing: [],
        learnersNext: [],
      });
    }
  });

  it("that does not name the follower yet is taken all the same: its addition comes after it", () => {
    const cluster = new Cluster(["a"], { trailingEntries: 0 });
    const a = cluster.elect("a");
    cluster.propose("a", "x");
    cluster.settle();
    expect(a.takeSnapshot().conf.voters).toEqual(["a"]);
    cluster.addNode("b");
    cluster.change("a", ["addLearner", "b"]);
    cluster.tick(3);
    expect(cluster.get("b").commands).toEqual(["x"]);
    expect(cluster.get("b").status.conf.learners).toEqual(["b"]);
  });

  it("drops a log that conflicts with it at its index or anywhere, entirely (scenario 39)", () => {
    const cluster = new Cluster(three);
    const b = cluster.get("b");
    b.raw.step({
      type: "append",
      from: "a",
      to: "b",
      term: 2,
      session: 1,
      prevIndex: 1,
      prevTerm: 1,
      entries: [2, 3, 4, 5, 6].map((index) => entry(index, 2)),
      commit: 2,
    });
    cluster.settle();
    b.raw.step({ ...install(4, meta(4, 3)), from: "c" });
    expect(b.status).toMatchObject({
      base: { index: 4, term: 3 },
      last: { index: 4, term: 3 },
      committed: 4,
    });
    cluster.network = [];
    b.slowFsm = true;
    cluster.process();
    expect(b.disk.entries).toEqual([]);
    expect(b.disk.base).toEqual({ index: 4, term: 3 });
    expect(cluster.network).toMatchObject([{ type: "appendResponse", to: "c", index: 4 }]);
  });

  it("that the log already holds only commits, and keeps what follows it (scenario 39)", () => {
    const cluster = new Cluster(three);
    const b = cluster.get("b");
    const entries = [2, 3, 4].map((index) => entry(index, 2, `${index}`));
    b.raw.step({
      type: "append",
      from: "a",
      to: "b",
      term: 2,
      session: 1,
      prevIndex: 1,
      prevTerm: 1,
      entries,
      commit: 1,
    });
    cluster.settle();
    b.raw.step(install(2, meta(3, 2)));
    cluster.settle();
    expect(b.status).toMatchObject({ base: { index: 0 }, last: { index: 4 }, committed: 3 });
    expect(b.commands).toEqual(["2", "3"]);
  });

  it("that is old or comes twice changes nothing (scenario 39)", () => {
    const cluster = new Cluster(three, { trailingEntries: 0 });
    const a = cluster.elect("a");
    cluster.passes = ({ to }) => to !== "b";
    cluster.propose("a", "1", "2");
    cluster.settle();
    a.takeSnapshot();
    const copies: SnapshotMessage[] = [];
    cluster.passes = (message) => {
      if (message.type === "snapshot") {
        copies.push(message);
      }
      return true;
    };
    cluster.tick(3);
    expect(copies.length).toBe(1);
    cluster.propose("a", "3");
    cluster.tick(1);
    const before = { ...cluster.get("b").status };
    cluster.deliverOne(copies[0]!);
    cluster.settle();
    expect(cluster.get("b").status).toEqual(before);
    expect(cluster.get("b").commands).toEqual(["1", "2", "3"]);
  });

  it("that is older than what the node has compacted changes nothing", () => {
    const cluster = new Cluster(three, { trailingEntries: 0 });
    cluster.elect("a");
    cluster.propose("a", "1", "2", "3");
    cluster.settle();
    const b = cluster.get("b");
    b.takeSnapshot();
    const before = b.status;
    b.raw.step(install(2, meta(3, 2)));
    cluster.process();
    expect(b.status).toEqual(before);
    expect(b.writing).toBeUndefined();
  });

  it("waits for the entries that are being applied, and is restored after them (scenario 39)", () => {
    const cluster = new Cluster(three);
    const b = cluster.get("b");
    b.slowFsm = true;
    const entries = [2, 3].map((index) => entry(index, 2));
    b.raw.step({
      type: "append",
      from: "a",
      to: "b",
      term: 2,
      session: 1,
      prevIndex: 1,
      prevTerm: 1,
      entries,
      commit: 3,
    });
    cluster.settle();
    const { applying } = b;
    expect(applying?.index).toBe(3);
    b.raw.step(install(2, meta(9, 2)));
    cluster.process();
    expect(b.applying).toBe(applying);
    b.finishApply();
    expect(b.raw.ready()?.apply).toMatchObject({ snapshot: { index: 9 }, index: 9 });
    expect(b.status.committed).toBe(9);
  });

  it("is not acknowledged before the log that starts from it is durable (R29)", () => {
    const cluster = new Cluster(three);
    const b = cluster.get("b");
    b.slowDisk = true;
    b.raw.step(install(2, meta(9, 2)));
    const ready = b.raw.ready()!;
    expect(ready.append?.reset).toEqual({ index: 9, term: 2 });
    expect(ready.messages).toEqual([]);
    expect(ready.apply).toBeUndefined();
    b.raw.appended();
    const next = b.raw.ready()!;
    expect(next.messages).toMatchObject([{ type: "appendResponse", index: 9 }]);
    expect(next.apply?.index).toBe(9);
  });

  it("that was stored before a crash, but not taken into the log, is taken at the start (scenario 39)", () => {
    const cluster = new Cluster(three);
    const log = cluster.get("b").disk.state();
    const raw = new RawNode({ id: "b", random: seeded(1) }, { log, snapshot: meta(9, 3), applied: 9 });
    expect(raw.status()).toMatchObject({ term: 3, base: { index: 9, term: 3 }, committed: 9, applied: 9 });
    expect(raw.ready()?.append).toMatchObject({
      hardState: { term: 3, commit: 9 },
      reset: { index: 9, term: 3 },
    });
  });

  it("that contradicts a committed entry is corruption, and the node does not start", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.propose("a", "x");
    cluster.settle();
    cluster.propose("a", "y");
    cluster.settle();
    const log = cluster.get("a").disk.state();
    expect(log.hardState!.commit).toBeGreaterThanOrEqual(3);
    expect(
      () => new RawNode({ id: "a", random: seeded(1) }, { log, snapshot: meta(3, 1), applied: 3 }),
    ).toThrow(expect.objectContaining({ code: "RAFT_LOG_CORRUPT" }));
  });

  it("that fails on the way is sent again, and only to who answers", () => {
    const cluster = new Cluster(three, { trailingEntries: 0 });
    const a = cluster.elect("a");
    cluster.passes = ({ to }) => to !== "c";
    cluster.propose("a", "1", "2");
    cluster.settle();
    a.takeSnapshot();
    const sent = () => cluster.network.filter(({ type }) => type === "snapshot").length;
    cluster.tick(15, ["a"]);
    cluster.process();
    expect(sent()).toBe(0);
    let failures = 2;
    cluster.passes = ({ type }) => type !== "snapshot" || failures-- <= 0;
    cluster.tick(8, ["a"]);
    expect(failures).toBeLessThan(0);
    expect(cluster.get("c").commands).toEqual(["1", "2"]);
  });
});

describe("a state machine that is not to be believed", () => {
  it("gets nothing more until a snapshot of at least its index takes its place; the log stays whole", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    const b = cluster.get("b");
    cluster.propose("a", "x", "y");
    cluster.settle();
    const older = a.takeSnapshot();
    cluster.propose("a", "z");
    cluster.settle();
    const { applied } = b.status;
    b.commands[0] = "wrong";
    b.raw.rebuild();
    cluster.propose("a", "more");
    cluster.settle();
    expect(b.status).toMatchObject({ applied, rebuildFrom: applied, committed: applied + 1 });
    b.raw.step(a.raw.snapshotMessage("b", older)!);
    cluster.settle();
    expect(b.status).toMatchObject({ applied, rebuildFrom: applied });
    b.raw.step(a.raw.snapshotMessage("b", a.takeSnapshot())!);
    cluster.settle();
    expect(b.status).toMatchObject({ applied: applied + 1, rebuildFrom: undefined, base: { index: 0 } });
    cluster.propose("a", "last");
    cluster.settle();
    expect(b.commands).toEqual(["x", "y", "z", "more", "last"]);
  });

  it("waits for what is being applied when it was found out", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    const b = cluster.get("b");
    cluster.propose("a", "x");
    cluster.settle();
    const early = a.takeSnapshot();
    b.slowFsm = true;
    cluster.propose("a", "y");
    cluster.settle();
    b.raw.rebuild();
    b.raw.step(a.raw.snapshotMessage("b", early)!);
    b.slowFsm = false;
    b.finishApply();
    cluster.settle();
    expect(b.status).toMatchObject({ applied: early.index + 1, rebuildFrom: early.index + 1 });
    expect(b.commands).toEqual(["x", "y"]);
  });

  it("is passed on in no snapshot, though its node goes on leading", () => {
    const cluster = new Cluster(three, { trailingEntries: 0 });
    const a = cluster.elect("a");
    cluster.partition(["a", "b"]);
    cluster.propose("a", "x", "y");
    cluster.settle();
    a.takeSnapshot();
    a.raw.rebuild();
    cluster.heal();
    cluster.propose("a", "z");
    cluster.tick(5, ["a"]);
    expect(a.status).toMatchObject({ role: "leader", committed: a.status.last.index });
    expect(a.raw.snapshotMessage("c", a.snapshot!)).toBeUndefined();
    expect(cluster.get("c").commands).toEqual([]);
    cluster.elect("b");
    cluster.get("b").takeSnapshot();
    cluster.tick(5, ["b"]);
    expect(cluster.get("c").commands).toEqual(["x", "y", "z"]);
  });

  it("is not replaced by a snapshot that contradicts a committed entry", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    const b = cluster.get("b");
    cluster.propose("a", "x");
    cluster.settle();
    b.raw.rebuild();
    const { applied, term } = b.status;
    const other = { ...a.raw.snapshotPoint(applied), term: term - 1, sizeBytes: 0, crc32: 0 };
    expect(() => b.raw.step(a.raw.snapshotMessage("b", other)!)).toThrow(
      expect.objectContaining({ code: "RAFT_INVARIANT" }),
    );
  });
});
