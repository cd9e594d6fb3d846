import { isMember } from "../conf-state.ts";
import type { LogIndex, NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { DivergedMessage, SnapshotRequestMessage, StateHashMessage } from "../message.ts";
import type { SnapshotMeta } from "../snapshot.ts";
import type { Courier } from "./courier.ts";
import type { Engine } from "./engine.ts";
import { HashBook } from "./hash-book.ts";
import { ticksOf } from "./options.ts";
import type { SnapshotTaker } from "./snapshot-taker.ts";
import { bestSuccessor } from "./successor.ts";

/** What a {@link Fence} works with. */
export interface FenceDeps {
  readonly engine: Engine;
  readonly courier: Courier;
  readonly taker: SnapshotTaker;
  /** Called when this node's own state machine is not believed any more. */
  readonly onFenced: (error: RaftError) => void;
}

/**
 * Compares state machines at equal indexes, and has the ones that differ rebuilt.
 *
 *     member ── stateHash ──▶ leader          at each multiple of `hashEveryEntries`
 *     member ◀── diverged ─── leader          when a quorum of the voters has another fingerprint there
 *     member: fenced. No reads, no results, no snapshots; it applies nothing, and votes and stores entries as before
 *     member ── snapshotRequest ──▶ leader    once nothing of the old state is being written, and again until it comes
 *     member ◀── snapshot ─── leader          which takes a new one when its newest does not reach far enough
 *     member: restored from it, the fence lifted
 *
 * A leader that differs itself is fenced too, and hands leadership over as soon as somebody can take it. That a member is
 * fenced is written down, so that it is still fenced after a restart.
 */
export class Fence {
  readonly #deps: FenceDeps;
  readonly #hashes = new HashBook();
  /** Members to which a snapshot is on its way. */
  readonly #serving = new Set<NodeId>();
  #askAtTick = 0;

  constructor(deps: FenceDeps) {
    this.#deps = deps;
  }

  /** Whether this node's state machine is not to be believed. */
  get up(): boolean {
    return this.#deps.engine.raw.rebuildFrom !== undefined;
  }

  /** @throws {RaftError} RAFT_FENCED while this node's state machine is not to be believed */
  assertDown(): void {
    if (this.up) {
      throw fenced();
    }
  }

  /** Takes note of this node's own fingerprint, and tells the leader. */
  hashed(index: LogIndex, hash: string): void {
    const { engine } = this.#deps;
    const { id, leaderId, term } = engine.raw.status();
    this.#compare(index, id, hash);
    if (leaderId !== undefined && leaderId !== id) {
      engine.deps.transport.send(leaderId, [
        { type: "stateHash", from: id, to: leaderId, term, index, hash },
      ]);
    }
  }

  /** Takes what another driver says about state machines. */
  step(message: StateHashMessage | DivergedMessage | SnapshotRequestMessage): void {
    switch (message.type) {
      case "stateHash":
        this.#compare(message.index, message.from, message.hash);
        return;
      case "diverged": {
        const own = this.#hashes.get(message.index, message.to);
        // One that was rebuilt meanwhile has none there.
        if (own !== undefined && own !== message.hash) {
          this.#raise(message.index);
        }
        return;
      }
      case "snapshotRequest":
        this.#serve(message.from, message.index);
        return;
      default:
        message satisfies never;
    }
  }

  /** Asks for what is missing, or hands leadership over. */
  tick(): void {
    const { courier, engine, taker } = this.#deps;
    if (!this.up || engine.ticks < this.#askAtTick) {
      return;
    }
    const { id, leaderId, rebuildFrom, role, term, transferTarget } = engine.raw.status();
    if (role === "leader") {
      if (transferTarget === undefined) {
        this.#handOver();
      }
    } else if (leaderId !== undefined && !taker.busy) {
      courier.send([{ type: "snapshotRequest", from: id, to: leaderId, term, index: rebuildFrom! }]);
    } else {
      return;
    }
    this.#askAtTick = engine.ticks + ticksOf(engine.options.electionTimeoutMs, engine.options);
  }

  /** Takes note that a snapshot from the leader took the place of the state machine. */
  restored(snapshot: SnapshotMeta): void {
    const { engine } = this.#deps;
    this.#hashes.forget(engine.record.identity.nodeId);
    if (engine.record.state.fenced && !this.up) {
      const { fenced: _, ...state } = engine.record.state;
      engine.record.save(state, (error) => engine.fail(error));
      engine.metrics.rebuilds++;
      engine.events.emit("rebuilt", snapshot);
    }
  }

  #compare(index: LogIndex, from: NodeId, hash: string): void {
    const { courier, engine } = this.#deps;
    const { conf, id, role, term } = engine.raw.status();
    const verdict = this.#hashes.add(index, from, hash, conf);
    if (verdict === undefined) {
      return;
    }
    if (verdict.minority.length > 0) {
      engine.events.emit("diverged", { index, ids: verdict.minority });
    }
    if (role !== "leader" || verdict.quorumHash === undefined) {
      return;
    }
    for (const to of verdict.wrong) {
      if (to === id) {
        this.#raise(index);
      } else {
        courier.send([{ type: "diverged", from: id, to, term, index, hash: verdict.quorumHash }]);
      }
    }
  }

  #raise(index: LogIndex): void {
    const { engine, onFenced, taker } = this.#deps;
    if (this.up) {
      return;
    }
    engine.raw.rebuild();
    taker.abandon(fenced());
    engine.record.save({ ...engine.record.state, fenced: true }, (error) => engine.fail(error));
    this.#askAtTick = engine.ticks;
    engine.events.emit("fenced", { index });
    onFenced(fenced());
  }

  /** Leads on when nobody can take over: better a leader that applies nothing than none. */
  #handOver(): void {
    const { engine } = this.#deps;
    const successor = bestSuccessor(engine.raw.status());
    if (successor === undefined) {
      return;
    }
    try {
      engine.raw.transferLeadership(successor);
    } catch (error) {
      if (!(error instanceof RaftError) || error.code === "RAFT_INVARIANT") {
        throw error;
      }
      engine.degrade(error, successor);
    }
  }

  /** Sends a snapshot to a member that asks for one of at least `index`; it asks again if it does not come. */
  #serve(to: NodeId, index: LogIndex): void {
    const { courier, engine, taker } = this.#deps;
    const { raw } = engine;
    if (raw.status().role !== "leader" || this.up || this.#serving.has(to) || !isMember(raw.conf, to)) {
      return;
    }
    this.#serving.add(to);
    engine.run(async () => {
      try {
        const newest = raw.newestSnapshot;
        const snapshot = newest !== undefined && newest.index >= index ? newest : await taker.request();
        const message = raw.snapshotMessage(to, snapshot);
        if (message !== undefined && snapshot.index >= index && !engine.stopped) {
          await courier.carry(message);
        }
      } catch (error) {
        engine.degrade(error, to);
      } finally {
        this.#serving.delete(to);
      }
    });
    engine.wake();
  }
}

function fenced(): RaftError {
  return new RaftError(
    "RAFT_FENCED",
    "expected the state machine of this member to equal that of a quorum; it is being rebuilt",
  );
}
