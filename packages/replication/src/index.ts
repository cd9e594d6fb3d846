/**
 * Copies of data over brokers that each have a store of their own.
 *
 * {@link Coordinator} writes them, {@link UnionReader} reads them, {@link ReplicaServer} answers for one broker;
 * {@link HandOver}, {@link Surrender} and {@link Repair} bring data to where it belongs.
 *
 * @packageDocumentation
 */
export { partitionChecksum } from "./checksum.ts";
export type { Clock, Timer } from "./clock.ts";
export { type ContentId, contentIdOf, contentKey, Sum64, sumOf } from "./content.ts";
export { Coordinator, type CoordinatorDeps, type CoordinatorOptions } from "./coordinator.ts";
export { type Copied, Copier, type CopierDeps, type CopierOptions, type CopyRequest } from "./copier.ts";
export { ReplicationError, type ReplicationErrorCode } from "./errors.ts";
export {
  HandOver,
  type HandOverDeps,
  type HandOverOptions,
  type HandOverProgress,
  type HandOverStep,
  type Propose,
} from "./hand-over.ts";
export type {
  GiveRequest,
  HeldPartition,
  ManifestRequest,
  NamedRequest,
  OfEpoch,
  PartitionsRequest,
  Peer,
  PeerColumns,
  PeerReadRequest,
  PeerReply,
  PeersById,
  Receipt,
  WriteRequest,
} from "./peer.ts";
export { Repair, type RepairDeps, type RepairOptions, type RepairResult } from "./repair.ts";
export { ReplicaServer, type ReplicaServerDeps, type ReplicaServerOptions } from "./replica-server.ts";
export type { Removal, ReplicaStore } from "./replica-store.ts";
export { RingBook } from "./ring-book.ts";
export { epochOf, type Rings } from "./rings.ts";
export { Surrender, type SurrenderDeps, type SurrenderOptions, type SweepResult } from "./surrender.ts";
export { TokenBucket } from "./token-bucket.ts";
export { type Holders, Placement, Topology } from "./topology.ts";
export {
  UnionReader,
  type UnionReaderDeps,
  type UnionReaderOptions,
  type UnionReadRequest,
} from "./union-reader.ts";
