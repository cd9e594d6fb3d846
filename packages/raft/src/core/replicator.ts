import { type Entry, entrySize, type LogIndex, type NodeId, origin } from "../entry.ts";
import { invariant } from "../errors.ts";
import type { Raft } from "./raft.ts";
import { Progress } from "./tracker/progress.ts";

/**
 * Sends the log to the other members, each at its own pace.
 *
 * A removed member is still sent to for a while, without counting for anything, so that it learns of its removal and
 * does not ask for elections for ever.
 */
export class Replicator {
  readonly #raft: Raft;
  readonly #members = new Map<NodeId, Progress>();
  readonly #departing = new Map<NodeId, { readonly progress: Progress; ticksLeft: number }>();
  #sessions = 0;

  constructor(raft: Raft) {
    this.#raft = raft;
  }

  /** What is known of the other members. */
  get members(): ReadonlyMap<NodeId, Progress> {
    return this.#members;
  }

  get(id: NodeId): Progress | undefined {
    return this.#members.get(id);
  }

  /** The record that an answer is meant for; undefined when that one is gone. */
  answering(id: NodeId, session: number): Progress | undefined {
    const progress = this.#members.get(id) ?? this.#departing.get(id)?.progress;
    return progress?.session === session ? progress : undefined;
  }

  /**
   * Takes a membership into force.
   *
   * @param active - whether newcomers get the benefit of the doubt until the quorum is checked next
   */
  setMembers(ids: readonly NodeId[], active: boolean): void {
    const { id: self, log, options } = this.#raft;
    for (const [id, progress] of this.#members) {
      if (!ids.includes(id)) {
        this.#members.delete(id);
        this.#departing.set(id, { progress, ticksLeft: 2 * options.electionTicks });
      }
    }
    for (const id of ids) {
      if (id !== self && !this.#members.has(id)) {
        this.#departing.delete(id);
        const progress = new Progress(id, ++this.#sessions, log.lastIndex + 1, options);
        progress.recentlyActive = active;
        this.#members.set(id, progress);
      }
    }
  }

  tick(): void {
    for (const [id, departing] of this.#departing) {
      departing.ticksLeft--;
      if (departing.ticksLeft === 0) {
        this.#departing.delete(id);
      }
    }
  }

  /** Starts to count anew who answers. */
  forgetActivity(): void {
    for (const progress of this.#members.values()) {
      progress.recentlyActive = false;
    }
  }

  /** The voter among `ids` that answers and has most of the log. */
  mostAdvanced(ids: readonly NodeId[]): Progress | undefined {
    let best: Progress | undefined;
    for (const id of ids) {
      const progress = this.#members.get(id);
      if (progress?.recentlyActive && (best === undefined || progress.match > best.match)) {
        best = progress;
      }
    }
    return best;
  }

  /** Goes on after a follower accepted everything up to `index`. */
  accepted(progress: Progress, index: LogIndex): void {
    switch (progress.state) {
      case "probe":
        progress.becomeReplicate();
        return;
      case "snapshot":
        // Whichever snapshot it took: once the log connects, entries do.
        if (progress.match >= this.#raft.log.base.index) {
          progress.becomeReplicate();
        }
        return;
      case "replicate":
        progress.free(index);
        return;
      default:
        progress.state satisfies never;
    }
  }

  /**
   * Goes on after a follower answered a heartbeat. When it lacks entries, whatever was sent to it may be lost: an
   * append, empty if the window is full, brings the acknowledgement or rejection that frees the window.
   */
  heard(progress: Progress): void {
    if (progress.state === "snapshot") {
      return;
    }
    progress.paused = false;
    if (progress.state === "probe" || progress.match < this.#raft.log.lastIndex) {
      progress.due = true;
    }
  }

  /** What was sent to a member was probably lost. */
  unreachable(id: NodeId): void {
    const progress = this.#members.get(id);
    if (progress?.state === "replicate") {
      progress.becomeProbe();
    }
  }

  /** A snapshot reached a member, or did not. Its own answer, or that to a heartbeat, goes on from there. */
  snapshotSent(id: NodeId, ok: boolean): void {
    const progress = this.#members.get(id) ?? this.#departing.get(id)?.progress;
    if (progress?.state === "snapshot") {
      if (!ok) {
        progress.pendingSnapshot = 0;
      }
      progress.becomeProbe();
      progress.paused = true;
    }
  }

  sendHeartbeats(readSequence: number): void {
    for (const progress of this.#members.values()) {
      this.#sendHeartbeat(progress, readSequence);
    }
    for (const { progress } of this.#departing.values()) {
      this.#sendHeartbeat(progress, readSequence);
    }
  }

  /** Sends to every member what it may be sent. */
  flush(): void {
    for (const progress of this.#members.values()) {
      this.#sendAppends(progress);
    }
    for (const { progress } of this.#departing.values()) {
      this.#sendAppends(progress);
    }
  }

  #sendHeartbeat(progress: Progress, readSequence: number): void {
    const { id, log, outbox, term } = this.#raft;
    // What the follower is not known to have it must not take for committed.
    const index = Math.min(progress.match, log.committed);
    const commitTerm = log.term(index);
    outbox.send({
      type: "heartbeat",
      from: id,
      to: progress.id,
      term,
      session: progress.session,
      commit: commitTerm === undefined ? origin : { index, term: commitTerm },
      readSequence,
    });
  }

  #sendAppends(progress: Progress): void {
    while (!progress.paused && progress.state !== "snapshot") {
      const { log } = this.#raft;
      const prevTerm = log.term(progress.next - 1);
      if (prevTerm === undefined) {
        this.#sendSnapshot(progress);
        return;
      }
      const entries = this.#entriesFor(progress);
      const newCommit =
        progress.state === "replicate" && Math.min(log.committed, progress.next - 1) > progress.sentCommit;
      if (entries.length === 0 && !progress.due && !newCommit) {
        return;
      }
      this.#sendAppend(progress, prevTerm, entries);
    }
  }

  #sendAppend(progress: Progress, prevTerm: number, entries: readonly Entry[]): void {
    const { id, log, outbox, term } = this.#raft;
    const prevIndex = progress.next - 1;
    invariant(
      entries.length === 0 || entries[0]!.index === progress.next,
      `expected to send entry ${progress.next} to ${progress.id}, got ${entries[0]?.index}`,
    );
    outbox.send({
      type: "append",
      from: id,
      to: progress.id,
      term,
      session: progress.session,
      prevIndex,
      prevTerm,
      entries,
      commit: log.committed,
    });
    let bytes = 0;
    for (const entry of entries) {
      bytes += entrySize(entry);
    }
    progress.sent(entries.length, bytes, log.committed);
  }

  /** The next entries for a follower; none while its window is full or while they are read from the store. */
  #entriesFor(progress: Progress): readonly Entry[] {
    const { fetches, log, options } = this.#raft;
    const { next } = progress;
    const end = log.lastIndex + 1;
    if (next >= end || (progress.state === "replicate" && progress.inflights.full)) {
      return [];
    }
    const cached = log.cached(next, end, options.maxMessageBytes);
    if (cached !== undefined) {
      progress.fetched = [];
      return cached;
    }
    const { fetched } = progress;
    const first = fetched[0]?.index ?? end;
    if (first <= next && next < first + fetched.length) {
      return first === next ? fetched : fetched.slice(next - first);
    }
    // A probe finds out where the logs part; what it would carry is likely to be rejected, so it is not worth a
    // disk's time.
    if (progress.state === "replicate" && progress.readId === 0) {
      progress.readId = fetches.ask(progress, next, Math.min(end, log.stable + 1), options.maxMessageBytes);
    }
    return [];
  }

  #sendSnapshot(progress: Progress): void {
    const { id, log, outbox, snapshot, term } = this.#raft;
    // To one that does not answer it would be work for nothing; and one that is not to be believed is not passed on.
    if (!progress.recentlyActive || this.#raft.rebuildFrom !== undefined) {
      return;
    }
    invariant(
      snapshot !== undefined && snapshot.index >= log.base.index,
      `expected a snapshot from ${log.base.index} on, got ${snapshot?.index}`,
    );
    outbox.send({ type: "snapshot", from: id, to: progress.id, term, session: progress.session, snapshot });
    progress.becomeSnapshot(snapshot.index);
  }
}
