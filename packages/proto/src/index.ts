/**
 * The wire contract of mon (`mon.v1`): messages and service descriptors for protobuf-es and Connect.
 *
 * What each message and field means, with its unit, stands in the comments that are generated from `proto/mon/v1`.
 *
 * @packageDocumentation
 */
export * from "./gen/mon/v1/admin_pb.ts";
export * from "./gen/mon/v1/cluster_pb.ts";
export * from "./gen/mon/v1/monitor_pb.ts";
export * from "./gen/mon/v1/peer_pb.ts";
export * from "./gen/mon/v1/query_pb.ts";
export * from "./gen/mon/v1/raft_pb.ts";
export * from "./gen/mon/v1/report_pb.ts";
