import type { RingParameters } from "@mon/hashring";
import type { Member } from "./member.ts";

/** Whether brokers share one store, or each has its own. */
export type StoreScope = "shared" | "local";

/** A member's part in a ring. */
export interface RingMember {
  readonly id: string;
  readonly weight: number;
  readonly zone: string;
}

/** A ring that holds or held. */
export interface RingState {
  /** Rises by one with each ring; 0 before the first. */
  readonly epoch: number;
  /** Sorted by id. */
  readonly members: readonly RingMember[];
  /** The replication factor is the one in force: 1 while there are fewer than three members in local scope. */
  readonly parameters: RingParameters;
}

/** What somebody wants of the ring. */
export type RingWish =
  | { readonly kind: "add" | "remove" | "reweigh"; readonly nodeId: string }
  | { readonly kind: "parameters"; readonly parameters: RingParameters };

/** A target's part of a hand-over. */
export interface CopyProgress {
  readonly partitions: number;
  readonly bytes: number;
}

/**
 * A hand-over in local scope (R24). Its ring is pending from when it stands here: new writes go to the new owners, and
 * sources refuse older epochs. When all sources have drained, what is to move is copied and verified; when all targets
 * have what they are to have, the ring is in force.
 */
export interface RingChange {
  readonly ring: RingState;
  readonly wish: RingWish;
  readonly sinceMs: number;
  /** Members that have yet to say that nothing written under the old ring is under way. */
  readonly undrained: readonly string[];
  /** Members that have yet to say that they have all that is theirs. */
  readonly uncopied: readonly string[];
  readonly copied: ReadonlyMap<string, CopyProgress>;
}

/** A ring that is over, under which members may still hold what is not theirs. Reads ask them too (R23). */
export interface PastRing {
  readonly ring: RingState;
  /** Members that have yet to surrender or delete what they held under it. */
  readonly uncleared: readonly string[];
}

/** A token that lets one broker join. */
export interface JoinToken {
  readonly secretHash: string;
  readonly expiresAtMs: number;
}

/** A token of an agent, reader, admin or scraper. */
export interface AccessToken {
  readonly secretHash: string;
  readonly role: "agent" | "reader" | "admin" | "metrics";
  readonly hostPattern: string;
  readonly expiresAtMs?: number | undefined;
}

/** What brokers agree on. Never changed, but replaced. */
export interface ClusterState {
  /** Empty until the cluster is formed. */
  readonly clusterId: string;
  readonly scope: StoreScope;
  readonly members: ReadonlyMap<string, Member>;
  /** The ring in force. */
  readonly ring: RingState;
  /** What the ring is to be like, whatever its replication factor may be now. */
  readonly parameters: RingParameters;
  readonly change: RingChange | undefined;
  /** What is wanted after it, in order; at most {@link wishesMax}. */
  readonly wishes: readonly RingWish[];
  /** Rings that are over and not cleared, the newest last. */
  readonly past: readonly PastRing[];
  readonly joinTokens: ReadonlyMap<string, JoinToken>;
  readonly tokens: ReadonlyMap<string, AccessToken>;
}

/** Changes of the ring that may wait. */
export const wishesMax = 64;
/** Tokens of each sort that are kept. */
export const tokensMax = 10_000;
/** Members that are remembered. */
export const membersMax = 1_000;

const noParameters: RingParameters = Object.freeze({
  vnodes: 150,
  hash: "crc32-fmix32",
  seed: 0,
  shardBucketMs: 3_600_000,
  replicationFactor: 1,
});

/** What there is before anything was agreed on. */
export const emptyClusterState: ClusterState = Object.freeze({
  clusterId: "",
  scope: "shared",
  members: new Map(),
  ring: Object.freeze({ epoch: 0, members: Object.freeze([]), parameters: noParameters }),
  parameters: noParameters,
  change: undefined,
  wishes: Object.freeze([]),
  past: Object.freeze([]),
  joinTokens: new Map(),
  tokens: new Map(),
});

/** The version of images that this code writes. */
const imageVersion = 1;

/** The bytes of a state: JSON with a version, maps as sorted lists. Equal states give equal bytes. */
export function encodeState(state: ClusterState): Uint8Array {
  return Buffer.from(
    JSON.stringify({ version: imageVersion, state }, (_, value) =>
      value instanceof Map ? { map: [...value].sort(([a], [b]) => (a < b ? -1 : 1)) } : value,
    ),
  );
}

/** Reads what {@link encodeState} wrote. @throws {RangeError} when it is of a newer version, or nothing of the kind */
export function decodeState(bytes: Uint8Array): ClusterState {
  const image = JSON.parse(Buffer.from(bytes).toString(), (_, value) =>
    value !== null && typeof value === "object" && Array.isArray(value.map) ? new Map(value.map) : value,
  ) as { version: number; state: ClusterState };
  if (image.version > imageVersion || typeof image.state !== "object") {
    throw new RangeError(`expected a state of version ${imageVersion} at most, got ${image.version}`);
  }
  return { ...emptyClusterState, ...image.state };
}
