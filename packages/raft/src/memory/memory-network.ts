import type { NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { Message, SnapshotMessage } from "../message.ts";
import type { Clock } from "../node/clock.ts";
import type { Transport, TransportHandler } from "../transport.ts";

/**
 * A network between the nodes of one process. Messages take a turn of the event loop; links can be cut.
 *
 * A node's queue is bounded by what is sent within a turn.
 */
export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #handlers = new Map<NodeId, TransportHandler>();
  /** Whether messages pass from one node to another; true by default. */
  passes: (from: NodeId, to: NodeId, message: Message) => boolean = () => true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The transport of one node. */
  transport(id: NodeId): Transport {
    return {
      start: async (handler) => {
        this.#handlers.set(id, handler);
      },
      send: (to, messages) => this.#send(id, to, messages),
      sendSnapshot: (to, message, chunks, signal) => this.#sendSnapshot(id, to, message, chunks, signal),
      stop: async () => {
        this.#handlers.delete(id);
      },
    };
  }

  #send(from: NodeId, to: NodeId, messages: readonly Message[]): void {
    const sender = this.#handlers.get(from);
    if (sender === undefined) {
      return;
    }
    // Under way from here on, even if the sender stops.
    this.#clock.setImmediate(() => {
      const receiver = this.#handlers.get(to);
      const passing = messages.filter((message) => this.passes(from, to, message));
      if (receiver === undefined || passing.length < messages.length) {
        sender.unreachable(to);
      }
      if (receiver === undefined || passing.length === 0) {
        return;
      }
      try {
        receiver.receive(sender.identity, passing);
      } catch (error) {
        // The receiver refuses this peer, and says so itself; a wire would be closed now.
        if (!(error instanceof RaftError)) {
          throw error;
        }
        sender.unreachable(to);
      }
    });
  }

  async #sendSnapshot(
    from: NodeId,
    to: NodeId,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    const sender = this.#handlers.get(from);
    const receiver = this.#handlers.get(to);
    if (sender === undefined || receiver === undefined || !this.passes(from, to, message)) {
      throw new RaftError("RAFT_UNREACHABLE", `expected to reach ${to}`);
    }
    await receiver.receiveSnapshot(sender.identity, message, chunks);
  }
}
