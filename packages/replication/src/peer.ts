import type { Fragment, Matcher, Partition, SeriesColumn, TimeRange, WriteFate } from "@mon/store";
import type { ContentId } from "./content.ts";
import type { Rings } from "./rings.ts";

/** What every request carries (R22). */
export interface OfEpoch {
  /** The epoch of the rings by which it was sent. */
  readonly epoch: number;
}

/** Fragments to be stored where they arrive, and never sent on (R21). */
export interface WriteRequest extends OfEpoch {
  readonly fragments: readonly Fragment[];
}

/** A stretch of one host; what it covers is bounded by the reader. */
export interface PeerReadRequest extends OfEpoch, TimeRange {
  readonly hostId: string;
  /** Only series that match, to spare the wire; absent for all. */
  readonly matchers?: readonly Matcher[];
}

/** What one member holds. */
export interface PeerColumns {
  /** Several of one series do not overlap. */
  readonly columns: readonly SeriesColumn[];
  readonly conflicts: number;
  /** What the member knows that it lost, for people. */
  readonly missing: readonly string[];
}

/** Which partitions to list. */
export interface PartitionsRequest extends OfEpoch {
  /** Only those that this member owns by the ring for writes. */
  readonly owner: string;
  /** Only those that end after this instant: what is past retention stays where it is (R26). */
  readonly keptFromMs: number;
  /** Given, only those that end at or before it, with checksums. */
  readonly closedBeforeMs?: number;
  /** Only those after this one. */
  readonly after?: Partition;
  /** At most so many; a reply of fewer is the last. */
  readonly limit: number;
}

/** A partition that a member holds something of. */
export interface HeldPartition extends Partition {
  /** Of what readers see of it, when it was asked for: 16 hexadecimal digits. See `partitionChecksum`. */
  readonly checksum?: string;
}

export interface ManifestRequest extends OfEpoch {
  readonly partition: Partition;
}

/** About fragments of a partition, by name. */
export interface NamedRequest extends ManifestRequest {
  readonly ids: readonly ContentId[];
}

/** Fragments of a partition, handed over whatever the host's limit of series. */
export interface GiveRequest extends ManifestRequest {
  readonly fragments: readonly Fragment[];
}

/** Which fragments a member has on disk, of those that were named. */
export interface Receipt {
  readonly held: number;
  /** Sum of the ids of those, modulo 2⁶⁴. */
  readonly sumHigh: number;
  readonly sumLow: number;
  readonly lacking: readonly ContentId[];
}

/** Every reply names the epoch of who replies. */
export type PeerReply<Value> = OfEpoch &
  (
    | { readonly status: "ok"; readonly value: Value }
    /** The request is of an older epoch. With the rings that hold, so that the sender can catch up. */
    | { readonly status: "wrongEpoch"; readonly rings: Rings }
    /** Not now. */
    | { readonly status: "unavailable"; readonly reason: string; readonly retryDelayMs: number }
  );

/**
 * A broker as others see it. Rejects when no reply came; then what was asked may have been done or not, and asking again
 * is harmless. There is no call that deletes: each broker deletes its own copies only.
 */
export interface Peer {
  /** @returns one fate for each fragment, once it is on disk */
  write(request: WriteRequest): Promise<PeerReply<readonly WriteFate[]>>;
  read(request: PeerReadRequest): Promise<PeerReply<PeerColumns>>;
  /** In order of host and start. */
  partitions(request: PartitionsRequest): Promise<PeerReply<readonly HeldPartition[]>>;
  /** The content ids of a partition. */
  manifest(request: ManifestRequest): Promise<PeerReply<readonly ContentId[]>>;
  /** Those of the fragments named that are there. */
  fetch(request: NamedRequest): Promise<PeerReply<readonly Fragment[]>>;
  receipt(request: NamedRequest): Promise<PeerReply<Receipt>>;
  /** Stores fragments, once they are on disk. */
  give(request: GiveRequest): Promise<PeerReply<Receipt>>;
}

/** How a broker reaches the others, and itself. */
export type PeersById = (nodeId: string) => Peer;
