import type { NodeId } from "../entry.ts";
import { RaftError } from "../errors.ts";
import type { Identity } from "../stable-store.ts";
import type { StableRecord } from "./stable-record.ts";

/**
 * Whom this node met. A member is known by the incarnation under which it was first met; when it comes back with
 * another, its disk was lost and its votes forgotten, and it must join under another id.
 */
export class PeerBook {
  readonly #record: StableRecord;
  readonly #incarnations: Map<NodeId, number>;

  constructor(record: StableRecord) {
    this.#record = record;
    this.#incarnations = new Map(Object.entries(record.state.peers));
  }

  /**
   * Checks who speaks. Whoever is met for the first time is written down, and not listened to before that is durable.
   *
   * @param isMember - whether to write it down; a stranger may be heard, and is not remembered
   * @returns whether its messages may be used now
   * @throws {RaftError} RAFT_WRONG_CLUSTER, RAFT_WRONG_NODE or RAFT_WRONG_INCARNATION
   */
  admit(peer: Identity, isMember: boolean, onError: (error: unknown) => void): boolean {
    const { clusterId, nodeId } = this.#record.identity;
    if (peer.clusterId !== clusterId) {
      throw new RaftError("RAFT_WRONG_CLUSTER", `expected cluster ${clusterId}, got ${peer.clusterId}`);
    }
    if (peer.nodeId === nodeId) {
      throw new RaftError("RAFT_WRONG_NODE", `expected another node than ${nodeId}`);
    }
    const known = this.#incarnations.get(peer.nodeId);
    if (known === peer.incarnation || (known === undefined && !isMember)) {
      return !this.#record.saving || known === undefined;
    }
    if (known !== undefined) {
      throw new RaftError(
        "RAFT_WRONG_INCARNATION",
        `expected ${peer.nodeId} in incarnation ${known}, got ${peer.incarnation}: its storage was lost`,
      );
    }
    this.#incarnations.set(peer.nodeId, peer.incarnation);
    this.#save(onError);
    return false;
  }

  /** Forgets those who are no members any more, so that their ids may come back with another disk. */
  keep(isMember: (id: NodeId) => boolean, onError: (error: unknown) => void): void {
    let forgot = false;
    for (const id of this.#incarnations.keys()) {
      if (!isMember(id)) {
        forgot = this.#incarnations.delete(id);
      }
    }
    if (forgot) {
      this.#save(onError);
    }
  }

  #save(onError: (error: unknown) => void): void {
    const peers = Object.fromEntries(this.#incarnations);
    this.#record.save({ ...this.#record.state, peers }, onError);
  }
}
