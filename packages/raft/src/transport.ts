import type { NodeId } from "./entry.ts";
import type { Message, SnapshotMessage } from "./message.ts";
import type { Identity } from "./stable-store.ts";

/** What a node does with what a {@link Transport} brings. */
export interface TransportHandler {
  /** Who this node is, for peers to check. */
  readonly identity: Identity;

  /**
   * Takes messages, in the order in which the peer sent them as far as the transport can tell. Never blocks. The node
   * may keep the messages and the data of their entries: a transport that reuses buffers copies first.
   *
   * @param peer - who sent them, as checked or at least claimed when the connection was made
   * @throws {RaftError} RAFT_WRONG_CLUSTER, RAFT_WRONG_NODE or RAFT_WRONG_INCARNATION when the peer must not be
   *   talked to: close its connection. RAFT_STOPPED when the node is not running
   */
  receive(peer: Identity, messages: readonly Message[]): void;

  /**
   * Takes a snapshot whole. Resolves when it is durable and given to the node, so that the sender may forget it.
   *
   * @throws {RaftError} as {@link receive}; RAFT_SNAPSHOT_CORRUPT when the bytes do not fit the message;
   *   RAFT_STORAGE_FAILED when they could not be stored; RAFT_BUSY when another snapshot is being received
   */
  receiveSnapshot(peer: Identity, message: SnapshotMessage, chunks: AsyncIterable<Uint8Array>): Promise<void>;

  /** Says that messages to a peer were probably lost. May be called at any time and any number of times. */
  unreachable(to: NodeId): void;
}

/**
 * Carries messages between nodes. Losing, doubling, delaying and reordering them is allowed, changing them is not.
 *
 * How a node id becomes an address is the transport's affair.
 */
export interface Transport {
  /** Begins to receive for `handler`. Called once. */
  start(handler: TransportHandler): Promise<void>;

  /**
   * Queues messages to one peer. Never throws, never waits; beyond its bound the queue drops messages and tells
   * {@link TransportHandler.unreachable}. Those queued together should travel together.
   */
  send(to: NodeId, messages: readonly Message[]): void;

  /**
   * Sends a snapshot, apart from messages so that it does not hold them up. Resolves when the receiver took it,
   * rejects otherwise; `signal` ends it early.
   */
  sendSnapshot(
    to: NodeId,
    message: SnapshotMessage,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void>;

  /**
   * Ends all traffic, after a short attempt to send what is queued: a leader's last words name its successor.
   * Afterwards the handler is not called any more. Idempotent; safe before `start`.
   */
  stop(): Promise<void>;
}
