import { create } from "@bufbuild/protobuf";
import { type RaftPeer, RaftPeerSchema } from "@mon/proto";
import { type Identity, RaftError } from "@mon/raft";

const incarnationMax = 2n ** 48n - 1n;

/** An identity, for the wire. */
export function peerFromIdentity({ nodeId, clusterId, incarnation }: Identity): RaftPeer {
  return create(RaftPeerSchema, { nodeId, clusterId, incarnation: BigInt(incarnation) });
}

/** @throws {RaftError} RAFT_MALFORMED when there is none, or it is not what one must be */
export function identityFromPeer(peer: RaftPeer | undefined): Identity {
  if (peer === undefined) throw new RaftError("RAFT_MALFORMED", "expected an identity, got none");
  const { nodeId, clusterId, incarnation } = peer;
  if (nodeId === "" || clusterId === "") {
    throw new RaftError("RAFT_MALFORMED", "expected a node id and a cluster id, got empty text");
  }
  if (incarnation < 1n || incarnation > incarnationMax) {
    throw new RaftError("RAFT_MALFORMED", `expected an incarnation from 1 to 2^48 − 1, got ${incarnation}`);
  }
  return { nodeId, clusterId, incarnation: Number(incarnation) };
}

/**
 * Checks whether a peer may be talked to at all. Whether its incarnation is the one known is the node's to say.
 *
 * @throws {RaftError} RAFT_WRONG_CLUSTER
 */
export function assertSameCluster(own: Identity, peer: Identity): void {
  if (peer.clusterId === own.clusterId) return;
  throw new RaftError("RAFT_WRONG_CLUSTER", `expected cluster ${own.clusterId}, got ${peer.clusterId}`);
}

/** @throws {RaftError} RAFT_WRONG_NODE when who speaks is not who opened the stream; RAFT_MALFORMED when nobody does */
export function assertSamePeer(opener: Identity, speaker: RaftPeer | undefined): void {
  const { nodeId, clusterId, incarnation } = identityFromPeer(speaker);
  if (nodeId === opener.nodeId && clusterId === opener.clusterId && incarnation === opener.incarnation) {
    return;
  }
  const expected = `${opener.nodeId} of ${opener.clusterId}, incarnation ${opener.incarnation}`;
  const got = `${nodeId} of ${clusterId}, incarnation ${incarnation}`;
  throw new RaftError("RAFT_WRONG_NODE", `expected ${expected}, which opened the stream, got ${got}`);
}
