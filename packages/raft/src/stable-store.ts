import type { NodeId } from "./entry.ts";

/** Who a node is. Peers exchange it before anything else and refuse those that do not fit. */
export interface Identity {
  readonly nodeId: NodeId;
  /** Names the cluster; a node never speaks to members of another. */
  readonly clusterId: string;
  /**
   * Drawn when the node's storage is first used and kept with it: a node that comes back with an empty disk has
   * another one, and is refused, because it forgot its votes. An integer from 1 to 2^48 − 1.
   */
  readonly incarnation: number;
}

/** What a {@link StableStore} keeps. */
export interface StableState {
  readonly identity: Identity;
  /** The incarnation under which each peer was first met; what makes a wiped peer noticeable after a restart. */
  readonly peers: Readonly<Record<NodeId, number>>;
  /**
   * Present while the state machine, and snapshots of it, are not to be believed, because a quorum had another
   * fingerprint: a snapshot from the leader has to take its place first, restarts or not.
   */
  readonly fenced?: true;
}

/**
 * Where a node keeps who it is. Written a handful of times in its life; votes and terms are not here but in the
 * {@link LogStore}.
 */
export interface StableStore {
  /**
   * @returns what was last saved, or undefined for new storage
   * @throws {RaftError} RAFT_LOG_CORRUPT when it was written and cannot be read: a node must not take itself for new
   */
  load(): Promise<StableState | undefined>;

  /**
   * Replaces what was there; resolves when that would survive a loss of power. A crash leaves the old or the new.
   * One call at a time.
   *
   * @throws {RaftError} RAFT_STORAGE_FAILED when the disk is full or fails
   */
  save(state: StableState): Promise<void>;

  /** Lets the storage go. May be called twice. */
  close(): Promise<void>;
}
