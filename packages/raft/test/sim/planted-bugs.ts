import { decodeConfState, encodeConfState } from "../../src/conf-state.ts";
import { ConfHistory } from "../../src/core/conf-history.ts";
import { leaveJoint } from "../../src/core/confchange/changer.ts";
import { Leader } from "../../src/core/leader.ts";
import { RaftLog } from "../../src/core/log.ts";
import { Outbox } from "../../src/core/outbox.ts";
import { Raft } from "../../src/core/raft.ts";
import { ReadQueue } from "../../src/core/read-queue.ts";
import { Replicator } from "../../src/core/replicator.ts";
import { TermRuns } from "../../src/core/term-runs.ts";
import { Progress } from "../../src/core/tracker/progress.ts";
import { Uncommitted } from "../../src/core/uncommitted.ts";
import type { Entry, FSM, Identity, Message, SessionResult } from "../../src/index.ts";
import { RunningNode } from "../../src/node/running-node.ts";
import { StateMachine } from "../../src/node/state-machine.ts";
import { SimDisk } from "../../src/testing/sim-disk.ts";
import { decodeBatch, SimLogStore } from "../../src/testing/sim-log-store.ts";
import type { SimulationOptions } from "../../src/testing.ts";

/**
 * A mistake that somebody made or could make, put into the running code by replacing methods: nothing of it is in the
 * code that is shipped.
 */
export interface PlantedBug {
  readonly name: string;
  /** How a run must differ to have it. */
  readonly options?: Partial<SimulationOptions>;
  /** Puts it in; the function that is returned takes it out again. */
  plant(): () => void;
}

type Method = (this: never, ...args: never[]) => unknown;

/** Replaces a method. */
function method(
  owner: { readonly prototype: object },
  name: string,
  // biome-ignore lint/suspicious/noExplicitAny: methods of all classes, their private parts included.
  make: (original: (...args: any[]) => any) => (this: any, ...args: any[]) => unknown,
): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(owner.prototype, name);
  if (descriptor === undefined) {
    throw new Error(`expected a method ${name}`);
  }
  const key = descriptor.get === undefined ? "value" : "get";
  const original = descriptor[key] as Method;
  Object.defineProperty(owner.prototype, name, {
    ...descriptor,
    [key]: make(function call(this: unknown, ...args) {
      return original.apply(this as never, args as never);
    }),
  });
  return () => Object.defineProperty(owner.prototype, name, descriptor);
}

function all(...undo: (() => void)[]): () => void {
  return () => {
    for (const each of undo.reverse()) {
      each();
    }
  };
}

/** Changes what `name` gives while `during` runs. */
function during(
  outer: [{ readonly prototype: object }, string],
  inner: [{ readonly prototype: object }, string],
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  instead: (self: any, original: () => any, args: any[]) => unknown,
): () => void {
  let depth = 0;
  return all(
    method(
      ...outer,
      (original) =>
        function wrapped(this: unknown, ...args) {
          depth++;
          try {
            return original.apply(this, args);
          } finally {
            depth--;
          }
        },
    ),
    method(
      ...inner,
      (original) =>
        function wrapped(this: unknown, ...args) {
          const proceed = () => original.apply(this, args);
          return depth > 0 ? instead(this, proceed, args) : proceed();
        },
    ),
  );
}

/** Which server a leader's part belongs to. */
const raftOf = new WeakMap<object, Raft>();

function knowLeaders(): () => void {
  return method(
    Raft,
    "becomeLeader",
    (original) =>
      function wrapped(this: Raft) {
        original.apply(this);
        raftOf.set(this.role, this);
      },
  );
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: "the vote is not persisted",
    plant: () =>
      method(
        SimLogStore,
        "open",
        (original) =>
          async function wrapped(this: SimLogStore) {
            const state = await original.apply(this);
            return { ...state, hardState: state.hardState && { ...state.hardState, votedFor: undefined } };
          },
      ),
  },
  {
    name: "acknowledged before the sync",
    plant: () =>
      method(
        Outbox,
        "sendWhenDurable",
        (original) =>
          function wrapped(this: Outbox, message) {
            if (message.from === message.to) {
              original.call(this, message);
            } else {
              this.send(message);
            }
          },
      ),
  },
  {
    name: "messages of a term before the term is durable",
    plant: () =>
      all(
        method(
          Outbox,
          "take",
          (original) =>
            function wrapped(this: Outbox) {
              return original.call(this, true);
            },
        ),
        method(
          Outbox,
          "ready",
          (original) =>
            function wrapped(this: Outbox, _, ...rest) {
              return original.call(this, true, ...rest);
            },
        ),
      ),
  },
  {
    name: "an old term's entry is committed by counting (Figure 8)",
    plant: () => {
      let counting: Raft | undefined;
      return all(
        knowLeaders(),
        method(
          Leader,
          "maybeCommit",
          (original) =>
            function wrapped(this: Leader) {
              counting = raftOf.get(this);
              try {
                original.apply(this);
              } finally {
                counting = undefined;
              }
            },
        ),
        method(
          RaftLog,
          "term",
          (original) =>
            function wrapped(this: RaftLog, index) {
              return counting?.log === this ? counting.term : original.call(this, index);
            },
        ),
      );
    },
  },
  {
    name: "a quorum that is one short",
    plant: () =>
      during([Leader, "maybeCommit"], [Replicator, "get"], (self: Replicator) => ({
        match: Math.max(0, ...[...self.members.values()].map(({ match }) => match)),
      })),
  },
  {
    name: "a leader counts itself before its log is durable",
    plant: () => during([Leader, "maybeCommit"], [RaftLog, "stable"], (self: RaftLog) => self.lastIndex),
  },
  {
    name: "the membership changes before a commit of the own term",
    plant: () => during([Leader, "proposeChange"], [Leader, "settled"], () => true),
  },
  {
    name: "a voter comes or goes without a joint membership",
    plant: () =>
      during([Leader, "proposeChange"], [RaftLog, "push"], (_, proceed, args) => {
        const [entry] = args as [Entry];
        if (entry.type === "config") {
          const data = encodeConfState(leaveJoint(decodeConfState(entry.data)));
          args[0] = { ...entry, data };
        }
        return proceed();
      }),
  },
  {
    name: "a joint membership counts as a simple one",
    plant: () =>
      method(
        ConfHistory,
        "latest",
        (original) =>
          function wrapped(this: ConfHistory) {
            const { conf, index } = original.apply(this);
            return { index, conf: { ...conf, votersOutgoing: [], learnersNext: [] } };
          },
      ),
  },
  {
    name: "a truncated membership stays in force",
    plant: () => method(ConfHistory, "truncate", () => () => {}),
  },
  {
    name: "a new leader does not end a joint membership",
    plant: () => {
      let forgetful: Leader | undefined;
      return all(
        knowLeaders(),
        method(
          Leader,
          "maybeCommit",
          (original) =>
            function wrapped(this: Leader) {
              const raft = raftOf.get(this);
              const { conf, index } = raft?.log.conf ?? { conf: undefined, index: 0 };
              const inherited = raft !== undefined && raft.log.term(index) !== raft.term;
              forgetful = inherited && (conf?.votersOutgoing.length ?? 0) > 0 ? this : undefined;
              try {
                original.apply(this);
              } finally {
                forgetful = undefined;
              }
            },
        ),
        method(
          Leader,
          "settled",
          (original) =>
            function wrapped(this: Leader) {
              return forgetful === this ? false : original.apply(this);
            },
        ),
      );
    },
  },
  {
    name: "a late append truncates what came after it",
    plant: () => during([RaftLog, "merge"], [TermRuns, "at"], () => undefined),
  },
  {
    name: "a follower commits beyond what an append covers (Figure 2)",
    plant: () =>
      method(
        Raft,
        "step",
        (original) =>
          function wrapped(this: Raft, message) {
            original.call(this, message);
            if (message.type === "append" && message.term === this.term) {
              this.log.commitTo(Math.min(message.commit, this.log.lastIndex));
            }
          },
      ),
  },
  {
    name: "two votes in a term",
    plant: () =>
      method(
        Raft,
        "step",
        (original) =>
          function wrapped(this: Raft, message) {
            if (message.type === "vote" && message.term === this.term) {
              this.votedFor = undefined;
              this.leaderId = undefined;
            }
            original.call(this, message);
          },
      ),
  },
  {
    name: "votes for candidates with shorter logs",
    plant: () => method(RaftLog, "isUpToDate", () => () => true),
  },
  {
    name: "a read before the leader's first commit",
    plant: () => during([Leader, "readIndex"], [Leader, "settled"], () => true),
  },
  {
    name: "a read confirmed by an older heartbeat's answer",
    plant: () =>
      method(
        ReadQueue,
        "confirm",
        (original) =>
          function wrapped(this: ReadQueue, sequence) {
            return original.call(this, sequence > 0 ? Number.POSITIVE_INFINITY : 0);
          },
      ),
  },
  {
    name: "a snapshot drops the entries after it that fit",
    plant: () =>
      during([Raft, "step"], [RaftLog, "has"], (_, proceed, [position]) =>
        "sizeBytes" in position ? false : proceed(),
      ),
  },
  {
    name: "a snapshot keeps a conflicting entry at its index",
    plant: () =>
      during([Raft, "step"], [RaftLog, "has"], (self: RaftLog, proceed, [position]) =>
        "sizeBytes" in position ? position.index <= self.lastIndex : proceed(),
      ),
  },
  {
    name: "an old snapshot takes the place of a newer log",
    plant: () =>
      method(
        Raft,
        "step",
        (original) =>
          function wrapped(this: Raft, message) {
            const { snapshot } = message;
            if (
              message.type === "snapshot" &&
              snapshot.index < this.log.lastIndex &&
              !this.log.resetPending
            ) {
              this.log.reset(snapshot);
              this.restoring = snapshot;
            }
            original.call(this, message);
          },
      ),
  },
  {
    name: "a snapshot holds the newest membership, not its own",
    plant: () =>
      method(
        RaftLog,
        "confAt",
        () =>
          function wrapped(this: RaftLog) {
            return this.conf;
          },
      ),
  },
  {
    name: "a snapshot is not restored",
    plant: () =>
      method(
        StateMachine,
        "run",
        (original) =>
          async function wrapped(this: unknown, application) {
            return application.snapshot === undefined ? await original.call(this, application) : [];
          },
      ),
  },
  {
    name: "a snapshot without the sessions",
    options: { wrapFsm: withoutSessions },
    plant: () => () => {},
  },
  {
    name: "entries applied again after a restart",
    plant: () => {
      const started = new WeakSet<object>();
      return method(
        RaftLog,
        "appliedTo",
        (original) =>
          function wrapped(this: RaftLog, index) {
            const first = !started.has(this);
            started.add(this);
            return original.call(this, first ? Math.max(this.base.index, index - 3) : index);
          },
      );
    },
  },
  {
    name: "a torn batch is taken for whole",
    plant: () =>
      method(SimLogStore, "recover", () => (tail: Uint8Array) => {
        const text = Buffer.from(tail.subarray(8)).toString();
        const lines = text.split("\n");
        for (let count = lines.length; count > 0; count--) {
          try {
            const batch = decodeBatch(Buffer.from(lines.slice(0, count).join("\n")));
            return Number.isInteger(batch.hardState.term) ? batch : undefined;
          } catch {
            // The last line is torn: try without it.
          }
        }
        return undefined;
      }),
  },
  {
    name: "a failed sync counts as done",
    plant: () =>
      method(
        SimDisk,
        "write",
        (original) =>
          async function wrapped(this: SimDisk, ...args) {
            await original.apply(this, args).catch(() => undefined);
          },
      ),
  },
  {
    name: "an old acknowledgement counts for what was sent since",
    plant: () =>
      method(
        Progress,
        "advance",
        (original) =>
          function wrapped(this: Progress, index) {
            return original.call(this, Math.max(index, this.next - 1));
          },
      ),
  },
  {
    // The transport's check of incarnations hides what sessions are for, so acknowledgements pass it by.
    name: "an acknowledgement of an earlier membership counts",
    plant: () => {
      const newest = new Map<string, Identity>();
      return all(
        method(
          Replicator,
          "answering",
          () =>
            function wrapped(this: Replicator, id) {
              return this.members.get(id);
            },
        ),
        method(
          RunningNode,
          "receive",
          (original) =>
            function wrapped(this: RunningNode<unknown>, peer: Identity, messages: readonly Message[]) {
              newest.set(this.identity.nodeId, this.identity);
              const acknowledges = messages.every(({ type }) => type === "appendResponse");
              original.call(this, acknowledges ? (newest.get(peer.nodeId) ?? peer) : peer, messages);
            },
        ),
      );
    },
  },
  {
    name: "a rejected append is not followed up",
    plant: () => method(Progress, "retreat", () => () => false),
  },
  {
    name: "a snapshot that did not arrive is waited for",
    plant: () => method(Replicator, "snapshotSent", () => () => {}),
  },
  {
    name: "uncommitted bytes are never given back",
    plant: () => method(Uncommitted, "commitTo", () => () => {}),
  },
];

/** Loses what is remembered of clients when a snapshot is restored. */
function withoutSessions(fsm: FSM<SessionResult<unknown>>): FSM<SessionResult<unknown>> {
  return {
    apply: (entries: readonly Entry[]) => fsm.apply(entries),
    snapshot: () => fsm.snapshot(),
    restore: async (chunks) => {
      const read: Uint8Array[] = [];
      for await (const chunk of chunks) {
        read.push(chunk);
      }
      const image = Buffer.concat(read);
      const rest = image.subarray(image.indexOf("\n"));
      await fsm.restore(
        (async function* () {
          yield Buffer.concat([Buffer.from("[]"), rest]);
        })(),
      );
    },
  };
}
