import type { ConfChangeStep, Entry, EntryType, Message, RaftErrorCode } from "@mon/raft";
import fc from "fast-check";

/** Checks a property. A failure prints its seed; `SEED=… vitest run` repeats it. */
export function check<T>(property: fc.IProperty<T>, numRuns: number): void {
  const { SEED } = process.env;
  fc.assert(property, { numRuns, seed: SEED === undefined ? 1 : Number(SEED) });
}

const integer = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constant(Number.MAX_SAFE_INTEGER));
const id = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
const ids = fc.array(id, { maxLength: 4 });
const data = fc.uint8Array({ maxLength: 300 });
const timestampMs = fc.oneof(integer, fc.double({ noNaN: true, noDefaultInfinity: true }));
const position = fc.record({ index: integer, term: integer });
const codes: readonly RaftErrorCode[] = ["RAFT_OVERLOADED", "RAFT_NOT_LEADER", "RAFT_INVARIANT"];
const entry: fc.Arbitrary<Entry> = fc.record({
  index: integer,
  term: integer,
  type: fc.constantFrom<EntryType[]>("command", "noop", "config"),
  data,
  timestampMs,
});
const step: fc.Arbitrary<ConfChangeStep> = fc.record({
  kind: fc.constantFrom<ConfChangeStep["kind"][]>("addVoter", "addLearner", "remove"),
  id,
});
const head = { from: fc.constant("a"), to: fc.constant("b"), term: integer };
const asked = {
  ...head,
  lastIndex: integer,
  lastTerm: integer,
  transfer: fc.boolean(),
  newcomer: fc.boolean(),
};
const answered = { ...head, session: integer, index: integer };

/** Any message from a to b. */
export const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constantFrom("vote" as const, "preVote" as const), ...asked }),
  fc.record({
    type: fc.constantFrom("voteResponse" as const, "preVoteResponse" as const),
    ...head,
    granted: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("append" as const),
    ...head,
    session: integer,
    prevIndex: integer,
    prevTerm: integer,
    entries: fc.array(entry, { maxLength: 5 }),
    commit: integer,
  }),
  fc.record({ type: fc.constant("appendResponse" as const), ...answered }),
  fc.record({ type: fc.constant("appendResponse" as const), ...answered, hint: position }),
  fc.record({
    type: fc.constant("heartbeat" as const),
    ...head,
    session: integer,
    commit: position,
    readSequence: integer,
  }),
  fc.record({
    type: fc.constant("heartbeatResponse" as const),
    ...head,
    session: integer,
    readSequence: integer,
  }),
  fc.record({
    type: fc.constant("snapshot" as const),
    ...head,
    session: integer,
    snapshot: fc.record({
      index: integer,
      term: integer,
      conf: fc.record({ voters: ids, learners: ids, votersOutgoing: ids, learnersNext: ids }),
      confIndex: integer,
      sizeBytes: integer,
      crc32: fc.nat(0xffff_ffff),
    }),
  }),
  fc.record({ type: fc.constant("timeoutNow" as const), ...head }),
  fc.record({
    type: fc.constant("propose" as const),
    ...head,
    requestId: integer,
    proposals: fc.array(fc.record({ data, timestampMs }), { maxLength: 4 }),
  }),
  fc.record({
    type: fc.constant("proposeChange" as const),
    ...head,
    requestId: integer,
    change: fc.record({ steps: fc.array(step, { maxLength: 4 }), timestampMs }),
  }),
  fc.record({
    type: fc.constant("proposeResponse" as const),
    ...head,
    requestId: integer,
    outcome: fc.oneof(position, fc.record({ refused: fc.constantFrom(...codes) })),
  }),
  fc.record({ type: fc.constant("readIndex" as const), ...head, requestId: integer }),
  fc.record({ type: fc.constant("readIndexResponse" as const), ...head, requestId: integer, index: integer }),
  fc.record({ type: fc.constant("transferLeadership" as const), ...head, target: id }),
  fc.record({
    type: fc.constantFrom("stateHash" as const, "diverged" as const),
    ...head,
    index: integer,
    hash: id,
  }),
  fc.record({ type: fc.constant("snapshotRequest" as const), ...head, index: integer }),
);
