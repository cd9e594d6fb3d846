import { type RingState, ringOf } from "@mon/cluster";
import type { HashRing } from "@mon/hashring";
import { epochOf, type Rings } from "./rings.ts";

/** Building a ring costs more than all that is asked of it, and states share rings. */
const built = new WeakMap<RingState, HashRing>();

/** Where the copies of a bucket go under one ring. */
export class Placement {
  readonly epoch: number;
  readonly ring: HashRing;
  /** Copies of each fragment: the replication factor, or all members when they are fewer. */
  readonly copies: number;
  /** Copies on disk that make a write acknowledged: ⌊copies / 2⌋ + 1 (R21). */
  readonly quorum: number;

  constructor(state: RingState) {
    const ring = built.get(state) ?? ringOf(state);
    built.set(state, ring);
    this.ring = ring;
    this.epoch = state.epoch;
    this.copies = Math.min(ring.parameters.replicationFactor, ring.size);
    this.quorum = Math.floor(this.copies / 2) + 1;
  }

  /** Those whose the bucket is, in order of preference. */
  owners(hostId: string, timestampMs: number): string[] {
    return this.copies === 0 ? [] : this.ring.ownersOf(hostId, timestampMs, this.copies);
  }

  /** The owners, and after them those who stand in for one that is not live. */
  candidates(hostId: string, timestampMs: number, standIns: number): string[] {
    return this.copies === 0 ? [] : this.ring.ownersOf(hostId, timestampMs, this.copies + standIns);
  }
}

/** Whom a reader has to ask about a bucket. */
export interface Holders {
  readonly nodeIds: readonly string[];
  /** When so many of them do not answer, something acknowledged may be missing. */
  readonly quorum: number;
}

/** Where data goes, and where it may be, by what one broker knows. Immutable. */
export class Topology {
  /** Of writes and fetches. */
  readonly epoch: number;
  /** The ring in force: whose data it is. */
  readonly inForce: Placement;
  /** Where new data goes: the pending ring from the moment that it is committed (R24). */
  readonly forWrites: Placement;
  /** Every ring under which some member may still hold what no other has (R23). */
  readonly placements: readonly Placement[];
  readonly standInsMax: number;

  /**
   * @param standInsMax - members after the owners that may get the copies of owners that are not live. Default 2; readers
   * ask as many, and a write waits when more owners than that are down
   */
  constructor(rings: Rings, standInsMax = 2) {
    this.standInsMax = standInsMax;
    this.epoch = epochOf(rings);
    this.inForce = new Placement(rings.ring);
    this.forWrites = rings.change === undefined ? this.inForce : new Placement(rings.change.ring);
    const placements = [this.forWrites, ...rings.past.map(({ ring }) => new Placement(ring))];
    if (this.forWrites !== this.inForce) placements.push(this.inForce);
    this.placements = placements.filter(({ copies }) => copies > 0);
  }

  /** Whom to send a fragment to: the first live ones, as many as there are to be copies; undefined when they are too few. */
  targets(
    hostId: string,
    timestampMs: number,
    isLive: (nodeId: string) => boolean,
  ): readonly string[] | undefined {
    const { copies } = this.forWrites;
    const live = this.forWrites.candidates(hostId, timestampMs, this.standInsMax).filter(isLive);
    return copies > 0 && live.length >= copies ? live.slice(0, copies) : undefined;
  }

  /** All members that may hold something of a bucket, under any ring of {@link placements}. */
  holders(hostId: string, timestampMs: number): Holders {
    const nodeIds = new Set<string>();
    let quorum = Number.POSITIVE_INFINITY;
    for (const placement of this.placements) {
      for (const id of placement.candidates(hostId, timestampMs, this.standInsMax)) nodeIds.add(id);
      quorum = Math.min(quorum, placement.quorum);
    }
    return { nodeIds: [...nodeIds], quorum };
  }
}
