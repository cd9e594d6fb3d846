import type { BrokerLoad } from "./broker-load.ts";
import type { Proposal } from "./proposal.ts";

/** Why a decision came out as it did; in the order in which limits are applied. */
export type ScalingReason =
  /** All signals are near their targets. */
  | "WithinTolerance"
  /** A signal asks for more, or fewer, and gets them. */
  | "AsWanted"
  /** Somebody set the number by hand. */
  | "Manual"
  /** No signal said anything. */
  | "NoMetrics"
  /** A broker said nothing of a signal, so none is removed. */
  | "MissingMetrics"
  /** More were not wanted for long enough. */
  | "StabilizedOut"
  /** Fewer were not wanted for long enough. */
  | "StabilizedIn"
  /** More would be more than a period may bring, or fewer than it may take. */
  | "PolicyLimited"
  /** A broker was added lately, so none is removed. */
  | "CoolingDown"
  /** A broker is being made or removed, and the next waits for it. */
  | "ProvisioningInFlight"
  | "AtMin"
  | "AtMax"
  /** Fewer would leave too few for the copies of each report, or for the voters. */
  | "QuorumGuard"
  /** Scaling is paused in this direction. */
  | "Paused";

/** Directions in which nothing is done. */
export type ScalingPause = "none" | "in" | "out" | "all";

/** A change of the number of brokers that was begun. */
export interface ScalingChange {
  readonly atMs: number;
  /** Brokers added; below zero, removed. */
  readonly brokers: number;
}

/** What a decision is made from. */
export interface ScalingObservation {
  readonly nowMs: number;
  /** Of every active broker, one that says nothing among them. */
  readonly loads: readonly BrokerLoad[];
  /** Brokers that are being made. */
  readonly creating: number;
  /** Brokers that are being removed; they are not in `loads`. */
  readonly removing: number;
  readonly replicationFactor: number;
  readonly voters: number;
  /** Changes, the newest last; those of {@link ScalingOptions.inAfterOutMs} and of the periods matter. */
  readonly changes: readonly ScalingChange[];
  readonly pause: ScalingPause;
  /** Brokers that somebody wants, whatever the signals say. */
  readonly manual?: number | undefined;
}

/** A decision, with all that it was made from. */
export interface ScalingDecision {
  readonly atMs: number;
  /** Active brokers, and those that are being made. */
  readonly current: number;
  /** Brokers there are to be. */
  readonly desired: number;
  /** What the signals, or somebody, asked for, before any limit. */
  readonly wanted: number;
  readonly proposals: readonly Proposal[];
  /** What decided, and each limit that changed the number, in order. */
  readonly reasons: readonly ScalingReason[];
}
