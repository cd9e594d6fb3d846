import { describe, expect, it } from "vitest";
import {
  type AppendMessage,
  type AppendResponse,
  type Entry,
  entrySize,
  type Message,
} from "../../src/index.ts";
import { LogImage } from "../../src/testing.ts";
import { Cluster, entry, seeded, type TestNode, text } from "./cluster.ts";

const three = ["a", "b", "c"];
const five = ["a", "b", "c", "d", "e"];

/** A disk whose log has these terms, after the entry that every cluster begins with. */
function diskOf(cluster: Cluster, terms: readonly number[], commit = 1): LogImage {
  const disk = new LogImage();
  const first = [...cluster.nodes.values()][0]!.disk.entries[0]!;
  disk.append({
    hardState: { term: Math.max(1, ...terms), votedFor: undefined, commit },
    reset: undefined,
    entries: [first, ...terms.map((term, at) => entry(at + 2, term, `${at + 2}/${term}`))],
  });
  return disk;
}

function give(cluster: Cluster, id: string, terms: readonly number[], commit = 1): TestNode {
  cluster.get(id).disk = diskOf(cluster, terms, commit);
  return cluster.restart(id);
}

/** Gives l and m a log and has l elected, in a term that nobody's log has. */
function lead(cluster: Cluster, terms: readonly number[]): void {
  for (const id of ["l", "m"]) {
    cluster.get(id).disk = diskOf(cluster, terms);
    cluster.get(id).disk.hardState = { term: 8, votedFor: "z", commit: 1 };
    cluster.restart(id);
  }
  cluster.partition(["l", "m"]);
  cluster.elect("l");
}

function append(
  to: string,
  term: number,
  prev: [number, number],
  entries: Entry[],
  commit = 0,
): AppendMessage {
  return {
    type: "append",
    from: "a",
    to,
    term,
    session: 1,
    prevIndex: prev[0],
    prevTerm: prev[1],
    entries,
    commit,
  };
}

function sent<T extends Message["type"]>(cluster: Cluster, type: T): Extract<Message, { type: T }>[] {
  return cluster.network.filter((message): message is Extract<Message, { type: T }> => message.type === type);
}

/** The answer of a node to one message. */
function answer(cluster: Cluster, message: AppendMessage): AppendResponse {
  cluster.network = [];
  cluster.get(message.to).raw.step(message);
  cluster.process();
  return sent(cluster, "appendResponse")[0]!;
}

describe("replication", () => {
  it("a leader appends a proposal to its log and sends it to all (§5.3)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.propose("a", "x");
    cluster.process();
    const appends = sent(cluster, "append");
    expect(
      appends.map(({ to, prevIndex, prevTerm, entries }) => [
        to,
        prevIndex,
        prevTerm,
        entries.map((e) => text(e.data)),
      ]),
    ).toEqual([
      ["b", 2, 2, ["x"]],
      ["c", 2, 2, ["x"]],
    ]);
  });

  it("an entry is committed when a majority has it, then applied, then followers are told (§5.3)", () => {
    const cluster = new Cluster(five);
    cluster.elect("a");
    cluster.passes = ({ from, to }) => !["d", "e"].includes(to) && (from === "a" || from === "b");
    cluster.propose("a", "x");
    cluster.settle();
    expect(cluster.get("a").commands).toEqual([]);
    cluster.passes = ({ to }) => !["d", "e"].includes(to);
    cluster.tick(1);
    expect(cluster.get("a").commands).toEqual(["x"]);
    expect(cluster.get("b").commands).toEqual(["x"]);
  });

  it("a leader never overwrites or deletes its own entries (leader append-only, §5.3)", () => {
    const cluster = new Cluster(three);
    give(cluster, "a", [2, 3, 3]);
    cluster.elect("a");
    cluster.settle();
    expect(cluster.get("a").terms).toEqual([1, 2, 3, 3, 4]);
  });

  it("a leader begins its term with an entry of its own (§8)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    expect(cluster.get("b").disk.entries.at(-1)).toMatchObject({ index: 2, term: 2, type: "noop" });
  });

  it.each<[string, number[]]>([
    ["a", [1, 1, 1, 4, 4, 5, 5, 6, 6].slice(0, -1)],
    ["b", [1, 1, 1, 4]],
    ["c", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ["d", [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ["e", [1, 1, 1, 4, 4, 4, 4]],
    ["f", [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ])("follower %s of Figure 7 takes on the leader's log (scenario 1, §5.3)", (_, terms) => {
    const cluster = new Cluster(["l", "m", "z"], { checkQuorum: false, preVote: false });
    const leaderTerms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    // The figure's first entry is ours, at index 1.
    lead(cluster, leaderTerms.slice(1));
    give(cluster, "z", terms.slice(1));
    cluster.heal();
    cluster.tick(5, ["l"]);
    expect(cluster.get("z").terms).toEqual([...leaderTerms, cluster.get("l").status.term]);
    expect(cluster.get("z").disk.entries).toEqual(cluster.get("l").disk.entries);
  });

  describe("Figure 8 (scenario 2, §5.4.2)", () => {
    /**
     * (c) of the figure before S1 replicates: S1 and S2 have an entry of term 2, S5 one of term 3; term 4 comes next.
     */
    const figure = (): Cluster => {
      const cluster = new Cluster(five, { preVote: false, checkQuorum: false });
      for (const [id, terms] of Object.entries({ a: [2], b: [2], c: [], d: [], e: [3] })) {
        const node = cluster.get(id);
        node.disk = diskOf(cluster, terms);
        node.disk.hardState = { term: 3, votedFor: "e", commit: 1 };
        cluster.restart(id);
      }
      cluster.partition(["a", "b", "c", "d"]);
      return cluster;
    };

    it("an entry of an earlier term is not committed by being on a majority, and can be overwritten", () => {
      const cluster = figure();
      // S1 leads term 4. Of its log only the old entry gets through, to S3.
      cluster.passes = (message) => message.to !== "e" && message.type !== "append";
      cluster.elect("a");
      expect(cluster.get("a").status.term).toBe(4);
      cluster.get("c").raw.step(append("c", 4, [1, 1], [entry(2, 2, "2/2")]));
      for (const { id, session } of cluster.get("a").status.progress) {
        if (id === "b" || id === "c") {
          cluster
            .get("a")
            .raw.step({ type: "appendResponse", from: id, to: "a", term: 4, session, index: 2 });
        }
      }
      cluster.settle();
      expect(["a", "b", "c"].map((id) => cluster.get(id).terms[1])).toEqual([2, 2, 2]);
      expect(cluster.get("a").status.committed).toBe(1);
      // (d): S5's last entry has a later term than those of S2, S3 and S4, so it wins and overwrites.
      cluster.partition(["b", "c", "d", "e"]);
      cluster.get("e").raw.campaign();
      cluster.settle();
      cluster.elect("e");
      cluster.tick(3, ["e"]);
      expect(cluster.get("c").terms.slice(0, 2)).toEqual([1, 3]);
    });

    it("once an entry of the leader's own term is on a majority, all before it is committed and S5 cannot win", () => {
      const cluster = figure();
      cluster.elect("a");
      cluster.tick(2, ["a"]);
      expect(cluster.get("a").status.committed).toBe(3);
      cluster.partition(["b", "c", "d", "e"]);
      for (let attempt = 0; attempt < 5; attempt++) {
        cluster.get("e").raw.campaign();
        cluster.settle();
        expect(cluster.get("e").status.role).not.toBe("leader");
      }
      expect(cluster.get("c").terms.slice(0, 2)).toEqual([1, 2]);
    });
  });

  it("a follower rejects entries whose predecessor it does not have (§5.3)", () => {
    const cluster = new Cluster(three);
    give(cluster, "b", [2, 2]);
    expect(answer(cluster, append("b", 5, [4, 2], [entry(5, 5)]))).toMatchObject({
      index: 4,
      hint: { index: 3, term: 2 },
    });
    expect(answer(cluster, append("b", 5, [3, 4], [entry(4, 5)]))).toMatchObject({
      index: 3,
      hint: { index: 3, term: 2 },
    });
    expect(answer(cluster, append("b", 5, [3, 1], [entry(4, 5)]))).toMatchObject({
      index: 3,
      hint: { index: 1, term: 1 },
    });
    expect(cluster.get("b").terms).toEqual([1, 2, 2]);
  });

  it("a follower replaces entries from the first that differs (§5.3)", () => {
    const cluster = new Cluster(three);
    give(cluster, "b", [2, 2, 2]);
    expect(answer(cluster, append("b", 5, [2, 2], [entry(3, 4), entry(4, 4)]))).toMatchObject({ index: 4 });
    expect(cluster.get("b").terms).toEqual([1, 2, 4, 4]);
  });

  it("doubled, reordered, stale and overlapping appends never drop an entry that matches (scenario 13, §5.3)", () => {
    const cluster = new Cluster(three);
    give(cluster, "b", []);
    const entries = [2, 3, 4, 5].map((index) => entry(index, 2));
    const messages = [
      append("b", 2, [1, 1], entries),
      append("b", 2, [1, 1], entries.slice(0, 1)),
      append("b", 2, [2, 2], entries.slice(1, 3)),
      append("b", 2, [1, 1], []),
      append("b", 2, [1, 1], entries.slice(0, 2), 3),
    ];
    for (const message of messages) {
      answer(cluster, message);
      expect(cluster.get("b").terms).toEqual([1, 2, 2, 2, 2]);
    }
    expect(cluster.get("b").status.committed).toBe(3);
    expect(answer(cluster, append("b", 2, [1, 1], entries.slice(0, 1)))).toMatchObject({ index: 3 });
  });

  it("a follower commits no more than what the message covers, whatever the leader has committed (Figure 2)", () => {
    const cluster = new Cluster(three);
    give(cluster, "b", [2, 2, 2]);
    answer(cluster, append("b", 5, [2, 2], [], 4));
    expect(cluster.get("b").status.committed).toBe(2);
    answer(cluster, append("b", 5, [2, 2], [entry(3, 5)], 2));
    expect(cluster.get("b").status.committed).toBe(2);
  });

  it("a heartbeat commits only what the follower's log agrees with", () => {
    const cluster = new Cluster(three);
    const b = give(cluster, "b", [2, 2]);
    const heartbeat = {
      type: "heartbeat",
      from: "a",
      to: "b",
      term: 5,
      session: 1,
      readSequence: 0,
    } as const;
    b.raw.step({ ...heartbeat, commit: { index: 3, term: 3 } });
    b.raw.step({ ...heartbeat, commit: { index: 9, term: 2 } });
    expect(b.status.committed).toBe(1);
    b.raw.step({ ...heartbeat, commit: { index: 3, term: 2 } });
    expect(b.status.committed).toBe(3);
  });

  it("a conflict with a committed entry stops the node and overwrites nothing (scenario 14)", () => {
    const cluster = new Cluster(three);
    const b = give(cluster, "b", [2, 2, 2], 3);
    expect(() => b.raw.step(append("b", 5, [3, 2], [entry(4, 4)]))).not.toThrow();
    const liar = give(cluster, "c", [2, 2, 2], 4);
    expect(() => liar.raw.step({ ...append("c", 5, [4, 2], [entry(5, 5)]), prevTerm: 2 })).not.toThrow();
    liar.raw.step(append("c", 5, [5, 5], [], 5));
    expect(() => liar.raw.step({ ...append("c", 5, [5, 5], []), from: "b" })).toThrow(
      expect.objectContaining({ code: "RAFT_INVARIANT" }),
    );
    expect(liar.terms).toEqual([1, 2, 2, 2]);
  });

  it.each<[string, number[], number[], number]>([
    ["one long diverging term", [1, 1, 1, 2, 2, 2, 2, 2, 2], [1, 1, 1, 3, 3, 3, 3], 2],
    ["many terms on the follower", [1, 2, 3, 4, 5, 6, 7], [1, 8, 8, 8, 8, 8, 8], 3],
    ["many terms on the leader", [1, 1, 1, 1, 1, 1, 1], [1, 2, 3, 4, 5, 6, 7], 3],
    ["a follower far behind", [1], [1, 2, 2, 2, 3, 3, 3, 3, 3, 3], 2],
    ["terms that alternate", [1, 2, 2, 4, 4, 6, 6], [1, 3, 3, 5, 5, 7, 7], 3],
  ])(
    "finding where the logs part takes at most a probe a term: %s (scenario 15, §5.3)",
    (_, follower, leader, probes) => {
      const cluster = new Cluster(["l", "m", "z"], { preVote: false, checkQuorum: false });
      lead(cluster, leader.slice(1));
      give(cluster, "z", follower.slice(1));
      let rejected = 0;
      cluster.passes = (message) => {
        rejected +=
          message.type === "appendResponse" && message.from === "z" && message.hint !== undefined ? 1 : 0;
        return true;
      };
      cluster.tick(5, ["l"]);
      expect(cluster.get("z").disk.entries).toEqual(cluster.get("l").disk.entries);
      expect(rejected).toBeLessThanOrEqual(probes);
    },
  );
});

describe("flow control", () => {
  it("a window whose messages were all lost is recovered by heartbeats (scenario 16)", () => {
    const cluster = new Cluster(three, { maxInflightMessages: 3, maxMessageBytes: 1 });
    cluster.elect("a");
    cluster.passes = ({ type, to }) => !(to === "b" && type === "append");
    cluster.propose("a", "1", "2", "3", "4", "5", "6");
    cluster.settle();
    const lost = cluster.get("a").status.progress.find(({ id }) => id === "b")!;
    expect(lost).toMatchObject({ state: "replicate", inflightMessages: 3, paused: true });
    cluster.heal();
    cluster.tick(2, ["a"]);
    expect(cluster.get("b").commands).toEqual(["1", "2", "3", "4", "5", "6"]);
  });

  it("the window is bounded in bytes as well (scenario 16, thesis §10.2.2)", () => {
    const cluster = new Cluster(three, { maxInflightBytes: 500, maxMessageBytes: 200 });
    cluster.elect("a");
    cluster.passes = ({ to }) => to !== "b";
    cluster.propose("a", ...Array.from({ length: 20 }, () => "x".repeat(68)));
    cluster.process();
    const { inflightBytes } = cluster.get("a").status.progress.find(({ id }) => id === "b")!;
    expect(inflightBytes).toBe(600);
    const sizes = sent(cluster, "append").map(({ entries }) =>
      entries.reduce((sum, each) => sum + entrySize(each), 0),
    );
    expect(Math.max(...sizes)).toBe(200);
  });

  it("a lagging follower goes from probe to replicate to snapshot to replicate (scenario 17)", () => {
    const cluster = new Cluster(three, { trailingEntries: 1 });
    const a = cluster.elect("a");
    const stateOf = () => a.status.progress.find(({ id }) => id === "c")!.state;
    expect(stateOf()).toBe("replicate");
    a.raw.reportUnreachable("c");
    expect(stateOf()).toBe("probe");
    cluster.tick(1);
    expect(stateOf()).toBe("replicate");
    cluster.passes = ({ to }) => to !== "c";
    cluster.propose("a", "1", "2", "3", "4");
    cluster.settle();
    a.takeSnapshot();
    cluster.heal();
    const states = new Set<string>();
    cluster.passes = () => states.add(stateOf()) !== undefined;
    cluster.tick(3);
    expect([...states]).toContain("snapshot");
    expect(stateOf()).toBe("replicate");
    expect(cluster.get("c").commands).toEqual(["1", "2", "3", "4"]);
  });

  it("a follower that is far behind gets entries that are only on the leader's disk", () => {
    const cluster = new Cluster(three, { maxCachedBytes: 0, maxMessageBytes: 100 });
    cluster.elect("a");
    cluster.passes = ({ to }) => to !== "c";
    const commands = Array.from({ length: 30 }, (_, at) => `command ${at}`);
    cluster.propose("a", ...commands);
    cluster.settle();
    expect(cluster.get("a").status.cachedBytes).toBe(0);
    cluster.heal();
    cluster.tick(3);
    expect(cluster.get("c").commands).toEqual(commands);
  });

  it("proposals are refused while too much is not committed, and taken again afterwards (scenario 18)", () => {
    const cluster = new Cluster(three, { maxUncommittedBytes: 100, checkQuorum: false });
    cluster.elect("a");
    cluster.partition(["a"]);
    cluster.propose("a", "x".repeat(90));
    expect(() => cluster.propose("a", "x".repeat(11))).toThrow(
      expect.objectContaining({ code: "RAFT_OVERLOADED" }),
    );
    cluster.propose("a", "x".repeat(10));
    cluster.heal();
    cluster.tick(2);
    cluster.propose("a", "x".repeat(200));
    // What a leader leaves uncommitted does not weigh on the next.
    cluster.partition(["b", "c"]);
    cluster.tick(60, ["b", "c"]);
    const next = cluster.leader!;
    expect(next.id).not.toBe("a");
    cluster.propose(next.id, "x".repeat(100));
    cluster.settle();
    expect(next.status.uncommittedBytes).toBe(0);
  });

  it("a proposal over the limit is refused, and the rest of its batch with it", () => {
    const cluster = new Cluster(["a"], { maxEntryBytes: 10 });
    cluster.elect("a");
    expect(() => cluster.propose("a", "x", "x".repeat(11))).toThrow(
      expect.objectContaining({ code: "RAFT_PROPOSAL_TOO_LARGE" }),
    );
    expect(cluster.get("a").status.last.index).toBe(2);
  });
});

describe("storage", () => {
  it("a leader's entries leave while its own write runs, and it counts itself only when that is durable (scenario 21, thesis §10.2.1)", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    a.slowDisk = true;
    cluster.propose("a", "x");
    cluster.process();
    expect(sent(cluster, "append").length).toBe(2);
    cluster.passes = ({ from, to }) => from !== "c" && to !== "c";
    cluster.settle();
    expect(a.status).toMatchObject({ committed: 2, stable: 2 });
    a.finishWrite();
    expect(a.status).toMatchObject({ committed: 3, stable: 3 });
  });

  it("commits by followers alone while the leader's disk hangs, and applies when it has the entry itself (scenario 21)", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    a.slowDisk = true;
    cluster.propose("a", "x");
    cluster.settle();
    expect(a.status.committed).toBe(3);
    expect(a.commands).toEqual([]);
    expect(cluster.get("b").commands).toEqual(["x"]);
    a.finishWrite();
    cluster.settle();
    expect(a.commands).toEqual(["x"]);
  });

  it("a follower answers an append only when it is durable (R29)", () => {
    const cluster = new Cluster(three);
    const b = give(cluster, "b", []);
    b.slowDisk = true;
    b.raw.step(append("b", 2, [1, 1], [entry(2, 2)]));
    cluster.process();
    expect(cluster.network).toEqual([]);
    b.finishWrite();
    cluster.process();
    expect(sent(cluster, "appendResponse")).toMatchObject([{ index: 2 }]);
  });

  it("an answer about entries that came during a write waits for the next write", () => {
    const cluster = new Cluster(three);
    const b = give(cluster, "b", []);
    b.slowDisk = true;
    b.raw.step(append("b", 2, [1, 1], [entry(2, 2)]));
    cluster.process();
    b.raw.step(append("b", 2, [2, 2], [entry(3, 2)]));
    b.raw.step(append("b", 2, [3, 2], [entry(4, 2)]));
    cluster.process();
    b.finishWrite();
    cluster.process();
    expect(sent(cluster, "appendResponse").map(({ index }) => index)).toEqual([2]);
    expect(b.writing?.entries.map(({ index }) => index)).toEqual([3, 4]);
    b.finishWrite();
    cluster.process();
    expect(sent(cluster, "appendResponse").map(({ index }) => index)).toEqual([2, 3, 4]);
  });

  it("A-B-A: of entries that three leaders overwrote while one write ran, none counts for that write (scenario 20)", () => {
    const cluster = new Cluster(five);
    const b = give(cluster, "b", []);
    b.slowDisk = true;
    b.raw.step(append("b", 2, [1, 1], [entry(2, 2, "x"), entry(3, 2, "x")]));
    cluster.process();
    expect(b.writing?.entries.length).toBe(2);
    b.raw.step({ ...append("b", 3, [1, 1], [entry(2, 3, "y")]), from: "c" });
    b.raw.step({ ...append("b", 4, [1, 1], [entry(2, 4, "x"), entry(3, 4, "x")]), from: "d" });
    cluster.process();
    expect(b.status.stable).toBe(1);
    b.finishWrite();
    expect(b.status.stable).toBe(1);
    expect(sent(cluster, "appendResponse")).toEqual([]);
    cluster.process();
    b.finishWrite();
    cluster.process();
    expect(b.status.stable).toBe(3);
    expect(b.terms).toEqual([1, 4, 4]);
    expect(sent(cluster, "appendResponse").map(({ to, term, index }) => [to, term, index])).toEqual([
      ["d", 4, 3],
    ]);
  });

  it("a promise to a leader of an earlier term is not kept once there is a later one", () => {
    const cluster = new Cluster(five);
    const b = give(cluster, "b", []);
    b.slowDisk = true;
    b.raw.step(append("b", 2, [1, 1], [entry(2, 2)]));
    cluster.process();
    b.raw.step({ ...append("b", 3, [1, 1], []), from: "c" });
    b.finishWrite();
    b.slowDisk = false;
    cluster.process();
    expect(sent(cluster, "appendResponse").map(({ to, term }) => [to, term])).toEqual([["c", 3]]);
  });

  it("a node that restarts knows its log, term and vote, and learns again what is committed (thesis §3.8)", () => {
    const cluster = new Cluster(three);
    cluster.elect("a");
    cluster.propose("a", "x", "y");
    cluster.settle();
    const before = cluster.get("b").disk.clone();
    cluster.restart("b");
    expect(cluster.get("b").disk).toEqual(before);
    cluster.tick(2);
    expect(cluster.get("b").commands).toEqual(["x", "y"]);
  });

  it("a follower that crashed before it could answer takes the same entries again, and then what it missed (§5.5)", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    cluster.passes = ({ from, to }) => from !== "b" && to !== "c";
    cluster.propose("a", "x");
    cluster.settle();
    expect(cluster.get("b").disk.entries.at(-1)).toEqual(a.disk.entries.at(-1));
    expect(a.status.committed).toBeLessThan(a.status.last.index);
    cluster.partition(["a", "c"]);
    cluster.settle();
    cluster.propose("a", "y");
    cluster.tick(2, ["a"]);
    cluster.restart("b");
    cluster.heal();
    cluster.tick(5, ["a"]);
    expect(cluster.get("b").disk.entries).toEqual(a.disk.entries);
    expect(cluster.get("b").commands).toEqual(["x", "y"]);
  });

  it("what was committed survives the loss of every write that was not durable (scenario 37)", {
    timeout: 30_000,
  }, () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seeded(seed);
      const cluster = new Cluster(three, { random });
      cluster.elect("a");
      for (let i = 0; i < 20; i++) {
        const slow = cluster.get(three[Math.floor(random.next() * 3)]!);
        slow.slowDisk = true;
        if (cluster.leader !== undefined) {
          cluster.propose(cluster.leader.id, `${i}`);
          cluster.settle();
        }
        const committed = Math.max(...three.map((id) => cluster.get(id).status.committed));
        const acknowledged = cluster.leader?.commands ?? [];
        for (const id of three) {
          cluster.get(id).slowDisk = false;
          cluster.restart(id);
        }
        cluster.tick(60);
        expect(cluster.leader!.status.committed).toBeGreaterThanOrEqual(committed);
        expect(cluster.leader!.commands.slice(0, acknowledged.length)).toEqual(acknowledged);
      }
    }
  });
});
