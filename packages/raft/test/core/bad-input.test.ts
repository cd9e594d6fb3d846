import { describe, expect, it } from "vitest";
import { type Message, RawNode } from "../../src/index.ts";
import { LogImage } from "../../src/testing.ts";
import { Cluster, entry, seeded } from "./cluster.ts";

const three = ["a", "b", "c"];
const append = {
  type: "append",
  from: "b",
  to: "a",
  term: 2,
  session: 1,
  prevIndex: 1,
  prevTerm: 1,
  commit: 0,
} as const;
const beyond = Number.MAX_SAFE_INTEGER + 1;

describe("a message is refused and changes nothing when", () => {
  it.each<[string, string, Message]>([
    ["it is for another node", "RAFT_WRONG_NODE", { ...append, to: "b", entries: [] }],
    ["its term is beyond 2^53", "RAFT_INDEX_OVERFLOW", { ...append, term: beyond, entries: [] }],
    ["its term is no number", "RAFT_INDEX_OVERFLOW", { ...append, term: Number.NaN, entries: [] }],
    ["an index is beyond 2^53", "RAFT_INDEX_OVERFLOW", { ...append, prevIndex: beyond, entries: [] }],
    ["an index is negative", "RAFT_INDEX_OVERFLOW", { ...append, commit: -1, entries: [] }],
    ["an index is a fraction", "RAFT_INDEX_OVERFLOW", { ...append, prevIndex: 1.5, entries: [] }],
    ["its entries leave a gap", "RAFT_MALFORMED", { ...append, entries: [entry(3, 2)] }],
    ["terms of its entries fall", "RAFT_MALFORMED", { ...append, entries: [entry(2, 2), entry(3, 1)] }],
    ["an entry is of a later term than the message", "RAFT_MALFORMED", { ...append, entries: [entry(2, 3)] }],
    [
      "a stranger is in a term far ahead",
      "RAFT_TERM_FAR_AHEAD",
      {
        type: "vote",
        from: "x",
        to: "a",
        term: 2 ** 40,
        lastIndex: 9,
        lastTerm: 9,
        transfer: false,
        newcomer: false,
      },
    ],
    [
      "a snapshot is of a later term than the message",
      "RAFT_MALFORMED",
      {
        type: "snapshot",
        from: "b",
        to: "a",
        term: 2,
        session: 1,
        snapshot: {
          index: 9,
          term: 3,
          conf: { voters: ["a"], learners: [], votersOutgoing: [], learnersNext: [] },
          confIndex: 1,
          sizeBytes: 0,
          crc32: 0,
        },
      },
    ],
  ])("%s", (_, code, message) => {
    const { raw } = new Cluster(three).get("a");
    const before = raw.status();
    expect(() => raw.step(message)).toThrow(expect.objectContaining({ code }));
    expect(raw.status()).toEqual(before);
    expect(raw.ready()).toBeUndefined();
  });

  it("a follower claims entries that the leader does not have", () => {
    const cluster = new Cluster(three);
    const a = cluster.elect("a");
    const { session } = a.status.progress[0]!;
    expect(() =>
      a.raw.step({ type: "appendResponse", from: "b", to: "a", term: 2, session, index: 99 }),
    ).toThrow(expect.objectContaining({ code: "RAFT_MALFORMED" }));
  });
});

it("a term far ahead of a member is believed, as is any from a leader that a new node meets", () => {
  const cluster = new Cluster(three);
  cluster.get("a").raw.step({ ...append, term: 2 ** 40, entries: [] });
  expect(cluster.get("a").status.term).toBe(2 ** 40);
  const fresh = cluster.addNode("x");
  fresh.raw.step({ ...append, to: "x", term: 2 ** 40, entries: [] });
  expect(fresh.status.term).toBe(2 ** 40);
});

it.each([
  ["id", { id: "" }, TypeError],
  ["electionTicks", { electionTicks: 1 }, RangeError],
  ["heartbeatTicks", { heartbeatTicks: 0 }, RangeError],
  ["preVote", { preVote: 1 as unknown as boolean }, TypeError],
  ["maxInflightMessages", { maxInflightMessages: 1.5 }, RangeError],
  ["trailingEntries", { trailingEntries: -1 }, RangeError],
])("the option %s is checked", (name, options, kind) => {
  const start = () =>
    new RawNode({ id: "a", random: seeded(1), ...options }, { log: new LogImage().state(), applied: 0 });
  expect(start).toThrow(kind);
  expect(start).toThrow(name);
});

it("completions that nobody waits for are refused", () => {
  const { raw } = new Cluster(three).get("a");
  expect(() => raw.appended()).toThrow(expect.objectContaining({ code: "RAFT_INVARIANT" }));
  expect(() => raw.applied(1)).toThrow(expect.objectContaining({ code: "RAFT_INVARIANT" }));
  expect(() => raw.fetched(77, [])).not.toThrow();
});
