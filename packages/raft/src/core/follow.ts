import type { LogIndex } from "../entry.ts";
import { invariant } from "../errors.ts";
import type { AppendMessage, AppendResponse, HeartbeatMessage, SnapshotMessage } from "../message.ts";
import type { Raft } from "./raft.ts";

/** Takes entries from the leader (AppendEntries, §5.3). */
export function handleAppend(raft: Raft, message: AppendMessage): void {
  const { log } = raft;
  const { prevIndex, prevTerm, entries } = message;
  if (prevIndex < log.committed) {
    // Late or doubled: all up to the commit index is the same on both sides.
    accept(raft, message, log.committed);
    return;
  }
  if (!log.has({ index: prevIndex, term: prevTerm })) {
    // What is after the hint has a later term than the leader has at `prevIndex`, so the leader cannot have it.
    const hint = log.lastAtMost(prevIndex, prevTerm);
    raft.outbox.sendWhenDurable({ ...envelope(raft, message), index: prevIndex, hint });
    return;
  }
  log.merge(entries);
  const lastNew = prevIndex + entries.length;
  // Beyond what this message covers the log may differ from the leader's, whatever the leader has committed (Figure
  // 2).
  log.commitTo(Math.min(message.commit, lastNew));
  accept(raft, message, lastNew);
}

/** Hears that the leader lives, and what is committed. */
export function handleHeartbeat(raft: Raft, message: HeartbeatMessage): void {
  if (raft.log.has(message.commit)) {
    raft.log.commitTo(message.commit.index);
  }
  raft.outbox.send({
    type: "heartbeatResponse",
    from: raft.id,
    to: message.from,
    term: raft.term,
    session: message.session,
    readSequence: message.readSequence,
  });
}

/**
 * Puts a snapshot in the log's place (InstallSnapshot, §7), unless the log has its position already. A snapshot whose
 * membership does not name this node is taken like any other: this node was added after it.
 */
export function handleSnapshot(raft: Raft, message: SnapshotMessage): void {
  const { log } = raft;
  const { snapshot } = message;
  const rebuilds = raft.rebuildFrom !== undefined && snapshot.index >= raft.rebuildFrom;
  if (snapshot.index > log.committed || rebuilds) {
    if (log.has(snapshot)) {
      // The log keeps all it vouched for; only the state machine begins anew.
      log.commitTo(snapshot.index);
      raft.restoring = rebuilds ? snapshot : raft.restoring;
    } else {
      invariant(
        snapshot.index > log.committed,
        `expected term ${log.term(snapshot.index)} at committed entry ${snapshot.index}, got ${snapshot.term}`,
      );
      log.reset(snapshot);
      raft.restoring = snapshot;
    }
  }
  if (raft.snapshot === undefined || snapshot.index > raft.snapshot.index || rebuilds) {
    raft.snapshot = snapshot;
  }
  accept(raft, message, log.committed);
}

/** Tells a leader of an earlier term that its term is over. */
export function refuseOldLeader(
  raft: Raft,
  message: AppendMessage | HeartbeatMessage | SnapshotMessage,
): void {
  raft.outbox.sendWhenDurable({ ...envelope(raft, message), index: 0 });
}

function accept(raft: Raft, message: AppendMessage | SnapshotMessage, index: LogIndex): void {
  raft.outbox.sendWhenDurable({ ...envelope(raft, message), index });
}

function envelope(
  raft: Raft,
  message: AppendMessage | HeartbeatMessage | SnapshotMessage,
): Omit<AppendResponse, "index"> {
  return {
    type: "appendResponse",
    from: raft.id,
    to: message.from,
    term: raft.term,
    session: message.session,
  };
}
