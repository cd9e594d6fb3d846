import { describe, expect, it } from "vitest";
import { bootstrapBatch } from "../../src/core/bootstrap.ts";
import type {
  AppendMessage,
  ConfState,
  Entry,
  HardState,
  LogBatch,
  LogPosition,
  Message,
  ProgressStatus,
  Status,
} from "../../src/index.ts";
import { encodeConfState } from "../../src/index.ts";
import { LogImage } from "../../src/memory/log-image.ts";
import { ObservedFsm } from "../../src/testing/observed-fsm.ts";
import { Referee } from "../../src/testing/referee/referee.ts";
import type { InvariantName } from "../../src/testing/referee/violation.ts";
import { RegisterMachine } from "../../src/testing/register-machine.ts";
import { simulate } from "../../src/testing.ts";

const voters = ["a", "b", "c"];
const conf: ConfState = { voters, learners: [], votersOutgoing: [], learnersNext: [] };
const limits = { maxInflightMessages: 2, maxUncommittedBytes: 100, maxEntryBytes: 10, maxPendingReads: 3 };

function entry(index: number, term: number, text = `${index}/${term}`): Entry {
  return { index, term, type: "command", data: Buffer.from(text), timestampMs: 0 };
}

function config(index: number, term: number, next: Partial<ConfState>): Entry {
  return { index, term, type: "config", data: encodeConfState({ ...conf, ...next }), timestampMs: 0 };
}

/** A history written by hand: what each node wrote, sent and said of itself, as the referee is told. */
class History {
  readonly referee: Referee = new Referee(bootstrapBatch(voters, []), limits);
  readonly #images = new Map<string, LogImage>();

  constructor() {
    for (const id of voters) {
      this.boot(id);
      this.write(id, bootstrapBatch(voters, []));
    }
  }

  /** Starts a node over what is durable on it. */
  boot(id: string): void {
    const image = this.#images.get(id) ?? new LogImage();
    this.#images.set(id, image);
    this.referee.booted(id, 0, image);
  }

  /** Writes to a log and makes it durable. */
  write(id: string, { entries = [], reset, ...state }: Partial<LogBatch> & Partial<HardState>): void {
    const image = this.#images.get(id)!;
    const { hardState = { term: 1, votedFor: undefined, commit: 1 } } = image;
    const batch = { hardState: { ...hardState, ...state.hardState, ...state }, reset, entries };
    this.referee.appending(id, batch);
    this.referee.afterStep(undefined);
    image.append(batch);
  }

  /** A node says what it is. */
  say(id: string, status: Partial<Status>): void {
    const image = this.#images.get(id)!;
    const { commit, term, votedFor } = image.hardState!;
    this.referee.afterStep({
      id,
      role: "follower",
      term,
      votedFor,
      leaderId: undefined,
      base: image.base,
      last: { index: image.lastIndex, term },
      stable: image.lastIndex,
      committed: commit,
      applied: commit,
      conf,
      confIndex: 1,
      committedConf: conf,
      cachedBytes: 0,
      uncommittedBytes: 0,
      pendingReads: 0,
      transferTarget: undefined,
      rebuildFrom: undefined,
      progress: [],
      ...status,
    });
  }

  send(id: string, message: Message): void {
    this.referee.sent(id, [message]);
    this.referee.afterStep(undefined);
  }

  /** A leader of term 2 that wrote entry 2, which `has` have too, and committed it. */
  lead(id: string, ...has: string[]): void {
    for (const each of [id, ...has]) {
      this.write(each, { term: 2, votedFor: id, entries: [entry(2, 2)] });
    }
    this.say(id, { role: "leader", committed: 1, applied: 1 });
    this.say(id, { role: "leader", committed: 2, applied: 1 });
  }
}

function append(from: string, to: string, term: number, entries: Entry[], prev: LogPosition): AppendMessage {
  const place = { prevIndex: prev.index, prevTerm: prev.term };
  return { type: "append", from, to, term, session: 1, ...place, entries, commit: 1 };
}

const machine = { restored: () => undefined, applied: () => undefined };
const progress: ProgressStatus = {
  id: "b",
  state: "replicate",
  session: 1,
  match: 1,
  next: 2,
  inflightMessages: 0,
  inflightBytes: 0,
  recentlyActive: true,
  paused: false,
  pendingSnapshot: 0,
};

/** What must be noticed, by invariant. */
const doctored: readonly [InvariantName, string, (history: History) => unknown][] = [
  [
    "one leader a term",
    "two nodes lead a term",
    (history) => {
      history.lead("a", "b");
      history.write("c", { term: 2, votedFor: "c" });
      history.say("c", { role: "leader" });
    },
  ],
  [
    "one leader a term",
    "a node that does not lead sends entries",
    (history) => {
      history.lead("a", "b");
      history.write("c", { term: 2, votedFor: "a" });
      history.send("c", append("c", "b", 2, [], { index: 1, term: 1 }));
    },
  ],
  [
    "term, vote and commit never go back",
    "a term goes back over a restart",
    (history) => {
      history.write("a", { term: 3 });
      history.boot("a");
      history.say("a", { term: 2 });
    },
  ],
  [
    "term, vote and commit never go back",
    "a vote is written over",
    (history) => {
      history.write("a", { term: 2, votedFor: "b" });
      history.write("a", { term: 2, votedFor: "c" });
    },
  ],
  [
    "term, vote and commit never go back",
    "a commit index goes back on disk",
    (history) => {
      history.lead("a", "b");
      history.write("a", { commit: 2 });
      history.write("a", { commit: 1 });
    },
  ],
  [
    "one vote a term",
    "a node votes twice, with a crash between",
    (history) => {
      const granted = { type: "voteResponse", from: "c", term: 2, granted: true } as const;
      history.write("c", { term: 2, votedFor: "a" });
      history.send("c", { ...granted, to: "a" });
      history.boot("c");
      history.referee.elections.voted("c#0", 2, "b");
    },
  ],
  [
    "log matching",
    "two entries have one index and term",
    (history) => {
      history.write("a", { term: 2, entries: [entry(2, 2, "x")] });
      history.write("b", { term: 2, entries: [entry(2, 2, "y")] });
    },
  ],
  [
    "log matching",
    "one entry follows two different ones",
    (history) => {
      history.write("a", { term: 3, entries: [entry(2, 2), entry(3, 3)] });
      history.send("a", append("a", "b", 3, [entry(3, 3)], { index: 2, term: 1 }));
    },
  ],
  [
    "log matching",
    "what a disk holds was never written",
    (history) => {
      history.write("a", { term: 2, entries: [entry(2, 2)] });
      const image = new LogImage();
      image.append(bootstrapBatch(voters, []));
      image.append({
        hardState: { term: 2, votedFor: "a", commit: 1 },
        reset: undefined,
        entries: [entry(2, 2, "?")],
      });
      history.referee.booted("b", 0, image);
      history.referee.sweep();
    },
  ],
  [
    "leader completeness",
    "a leader lacks what an earlier one committed",
    (history) => {
      history.lead("a", "b");
      history.write("c", { term: 3, votedFor: "c" });
      history.say("c", { role: "leader" });
    },
  ],
  [
    "state machine safety",
    "a follower overwrites a committed entry",
    (history) => {
      history.lead("a", "b");
      history.write("b", { term: 3, entries: [entry(2, 3)] });
    },
  ],
  [
    "state machine safety",
    "a node applies another entry than the committed one",
    (history) => {
      history.lead("a", "b");
      history.write("c", { term: 2, votedFor: "a", entries: [entry(2, 1)] });
      history.say("c", { committed: 2, applied: 2 });
    },
  ],
  [
    "state machine safety",
    "a node applies what is not committed",
    (history) => {
      history.write("c", { entries: [entry(2, 1)] });
      history.say("c", { committed: 1, applied: 2 });
    },
  ],
  [
    "state machine safety",
    "two machines come to different states by the same entries",
    ({ referee }) => {
      referee.machines.applied(entry(2, 2), "one", undefined);
      referee.machines.applied(entry(2, 2), "another", undefined);
    },
  ],
  [
    "leaders only append",
    "a leader overwrites its own log",
    (history) => {
      history.lead("a", "b");
      history.write("a", { term: 2, entries: [entry(3, 2)] });
      history.write("a", { term: 2, entries: [entry(3, 2)] });
    },
  ],
  ["commit by a quorum of the term", "a leader commits what only it has", (history) => history.lead("a")],
  [
    "commit by a quorum of the term",
    "a leader commits an entry of an earlier term by counting (Figure 8)",
    (history) => {
      for (const id of ["a", "b"]) {
        history.write(id, { term: 3, votedFor: "a", entries: [entry(2, 2)] });
      }
      history.say("a", { role: "leader", committed: 1, applied: 1 });
      history.say("a", { role: "leader", committed: 2, applied: 1 });
    },
  ],
  [
    "commit by a quorum of the term",
    "a joint membership commits by one of its halves",
    (history) => {
      history.lead("a", "b");
      const joint = { voters: ["a", "d"], votersOutgoing: voters };
      for (const id of ["a", "b"]) {
        history.write(id, { entries: [config(3, 2, joint)] });
      }
      const now = { conf: { ...conf, ...joint }, confIndex: 3, applied: 1 } as const;
      history.say("a", { role: "leader", ...now, committed: 2 });
      history.say("a", { role: "leader", ...now, committed: 3 });
    },
  ],
  [
    "acknowledged is committed",
    "a caller is told of an entry that is not committed",
    (history) => {
      history.write("a", { term: 2, entries: [entry(2, 2)] });
      history.referee.answered({ index: 2, term: 2 });
      history.referee.afterStep(undefined);
    },
  ],
  [
    "reads are linearizable",
    "a read misses what was acknowledged before it",
    (history) => {
      history.lead("a", "b");
      history.referee.answered({ index: 2, term: 2 });
      history.referee.afterStep(undefined);
      history.referee.wasRead(history.referee.acknowledged, 1);
      history.referee.afterStep(undefined);
    },
  ],
  [
    "each request once",
    "a request takes effect twice",
    ({ referee }) => {
      referee.machines.applied(entry(2, 2), "x", "client/1");
      referee.machines.applied(entry(3, 2), "y", "client/1");
    },
  ],
  [
    "one change of membership at a time",
    "a second change begins before the first is committed",
    (history) => {
      history.lead("a", "b");
      history.write("a", { entries: [config(3, 2, { learners: ["d"] })] });
      history.write("a", { entries: [config(4, 2, { learners: ["d", "e"] })] });
    },
  ],
  [
    "one change of membership at a time",
    "two memberships in a row need not share a quorum",
    (history) => {
      history.lead("a", "b");
      history.write("a", { entries: [config(3, 2, { voters: ["c", "d", "e"] })] });
    },
  ],
  [
    "one change of membership at a time",
    "a leader changes the membership before it committed in its term (2015)",
    (history) => {
      history.write("a", { term: 2, votedFor: "a", entries: [entry(2, 2)] });
      history.say("a", { role: "leader", committed: 1, applied: 1 });
      history.write("a", { entries: [config(3, 2, { learners: ["d"] })] });
    },
  ],
  [
    "one change of membership at a time",
    "a node follows another membership than its log has",
    (history) => {
      history.lead("a", "b");
      history.write("b", { entries: [config(3, 2, { learners: ["d"] })] });
      history.say("b", { conf: { ...conf, learners: ["e"] }, confIndex: 3 });
    },
  ],
  [
    "a snapshot is its log",
    "a snapshot carries another membership than its index has",
    (history) => {
      history.lead("a", "b");
      const point = { index: 2, term: 2, conf: { ...conf, voters: ["a"] }, confIndex: 1 };
      history.referee.snapshotSeen(point);
    },
  ],
  [
    "a snapshot is its log",
    "a snapshot is of an entry that is not committed",
    ({ referee }) => referee.snapshotSeen({ index: 5, term: 2, conf, confIndex: 1 }),
  ],
  [
    "a snapshot is its log",
    "a restored machine differs from one that applied the log",
    ({ referee }) => {
      referee.machines.applied(entry(2, 2), "by the log", undefined);
      referee.machines.restored(2, "by a snapshot");
    },
  ],
  [
    "sent is durable",
    "a vote leaves before it is on disk",
    (history) => {
      history.send("c", { type: "vote", from: "c", to: "a", term: 2, lastIndex: 1, lastTerm: 1 } as Message);
    },
  ],
  [
    "sent is durable",
    "a vote is granted that is not on disk",
    (history) => {
      history.write("c", { term: 2, votedFor: undefined });
      history.send("c", { type: "voteResponse", from: "c", to: "a", term: 2, granted: true });
    },
  ],
  [
    "sent is durable",
    "an entry is acknowledged before it is on disk",
    (history) => {
      history.send("b", { type: "appendResponse", from: "b", to: "a", term: 1, session: 1, index: 2 });
    },
  ],
  [
    "bounds",
    "a window is overrun",
    (history) => {
      history.lead("a", "b");
      history.say("a", { role: "leader", progress: [{ ...progress, inflightMessages: 3 }] });
    },
  ],
  [
    "bounds",
    "more is uncommitted than may be",
    (history) => {
      history.lead("a", "b");
      history.say("a", { role: "leader", uncommittedBytes: 101 });
    },
  ],
  [
    "bounds",
    "more reads wait than may",
    (history) => {
      history.lead("a", "b");
      history.say("a", { role: "leader", pendingReads: 4 });
    },
  ],
];

describe("the referee", () => {
  it("has nothing to say about a history in which all is well", () => {
    const history = new History();
    history.lead("a", "b");
    history.write("a", { commit: 2 });
    history.say("a", { role: "leader", committed: 2, applied: 2 });
    history.referee.answered({ index: 2, term: 2 });
    history.send("a", append("a", "c", 2, [entry(2, 2)], { index: 1, term: 1 }));
    history.write("c", { term: 2, votedFor: undefined, entries: [entry(2, 2)] });
    history.send("c", { type: "appendResponse", from: "c", to: "a", term: 2, session: 1, index: 2 });
    history.referee.wasRead(history.referee.acknowledged, 2);
    history.referee.afterStep(undefined);
    history.referee.sweep();
    expect(history.referee.commits.last).toBe(2);
  });

  it.each(doctored)("%s: notices when %s", (invariant, _, doctor) => {
    const history = new History();
    expect(() => doctor(history)).toThrow(expect.objectContaining({ name: "Violation", invariant }));
  });

  it("each request once and a snapshot is its log: notices entries that come again", async () => {
    const broken: string[] = [];
    const fsm = new ObservedFsm(new RegisterMachine(), {
      ...machine,
      broken: (message) => broken.push(message),
    });
    const write = entry(2, 2, JSON.stringify({ key: "x", value: "1" }));
    await fsm.apply([write]);
    await fsm.apply([write]);
    expect(broken).toEqual(["expected an entry after 2 to be applied, got 2"]);
  });

  it("liveness: notices a cluster that does not recover", async () => {
    // Nobody may have an entry, so nothing can be committed.
    const profile = { voters: 3, learners: 0, faultGapMsMean: {} };
    const workload = {
      createFsm: () => new RegisterMachine(),
      command: () => new Uint8Array(2000),
    };
    const { violation } = await simulate({ seed: 1, steps: 500, nodes: 3, profile, workload });
    expect(violation).toMatchObject({ invariant: "liveness" });
  });

  it("no internal failure: notices a node that stops for no reason of its disk", async () => {
    const workload = {
      createFsm: () =>
        Object.assign(new RegisterMachine(), {
          apply: () => {
            throw new Error("a bug");
          },
        }),
      command: () => new Uint8Array(1),
    };
    const { violation } = await simulate({ seed: 1, steps: 2000, nodes: 3, workload });
    expect(violation).toMatchObject({ invariant: "no internal failure" });
  });
});
