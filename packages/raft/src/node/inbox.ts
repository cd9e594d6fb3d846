import { isMember } from "../conf-state.ts";
import type { NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { Message, SnapshotMessage } from "../message.ts";
import type { Identity } from "../stable-store.ts";
import type { Engine } from "./engine.ts";
import { SnapshotInlet } from "./snapshot-inlet.ts";

/** What peers send, from the door to the next turn of work. Who must not be heard is turned away at the door. */
export class Inbox {
  readonly #engine: Engine;
  readonly #inlet: SnapshotInlet;
  #messages: Message[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#inlet = new SnapshotInlet(engine.deps.snapshots);
  }

  /** @throws {RaftError} as {@link TransportHandler.receive} */
  receive(peer: Identity, messages: readonly Message[]): void {
    const engine = this.#engine;
    if (!this.#admit(peer)) {
      return;
    }
    const { metrics, options } = engine;
    for (const message of messages) {
      metrics.messagesReceived++;
      if (message.from !== peer.nodeId) {
        this.#refuse(
          new RaftError(
            "RAFT_WRONG_NODE",
            `expected messages from ${peer.nodeId}, got one from ${message.from}`,
          ),
          peer.nodeId,
        );
      } else if (this.#messages.length >= options.maxInboxMessages) {
        metrics.messagesDropped++;
      } else {
        this.#messages.push(message);
      }
    }
    engine.wake();
  }

  /** @throws {RaftError} as {@link TransportHandler.receiveSnapshot} */
  async receiveSnapshot(
    peer: Identity,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const engine = this.#engine;
    if (!this.#admit(peer)) {
      throw new RaftError("RAFT_BUSY", `expected ${peer.nodeId} to be known first`);
    }
    // Of what is committed here already there is nothing to learn, but for a state machine that differs.
    const { committed, rebuildFrom } = engine.raw.status();
    if (message.snapshot.index < (rebuildFrom ?? committed + 1)) {
      return;
    }
    const task = this.#inlet.receive(message, chunks);
    engine.run(() => task.catch(() => undefined));
    await task;
    if (!engine.stopped) {
      this.#messages.push(message);
      engine.wake();
    }
  }

  /** Takes what came since, for `step`; messages that it refuses change nothing, and are told of. */
  drain(step: (message: Message) => void): void {
    const messages = this.#messages;
    this.#messages = [];
    for (const message of messages) {
      try {
        step(message);
      } catch (error) {
        if (!(error instanceof RaftError) || error.code === "RAFT_INVARIANT") {
          throw error;
        }
        this.#refuse(error, message.from);
      }
    }
  }

  /** Whether a peer's messages may be used. */
  #admit(peer: Identity): boolean {
    const { peers, raw, stopped } = this.#engine;
    if (stopped) {
      throw new RaftError("RAFT_STOPPED", "expected a running node");
    }
    try {
      return peers.admit(peer, isMember(raw.conf, peer.nodeId), (error) => this.#engine.fail(error));
    } catch (error) {
      this.#refuse(RaftError.from(error), peer.nodeId);
      throw error;
    }
  }

  #refuse(error: RaftError, peer: NodeId): void {
    this.#engine.metrics.messagesRefused++;
    this.#engine.events.emit("degraded", { error, peer });
  }
}
