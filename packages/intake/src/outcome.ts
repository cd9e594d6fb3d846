import type { Durability } from "@mon/store";
import type { Rejection } from "./reason.ts";

/** A report that could not be stored now, and may be if sent again. */
export interface Refusal {
  /** The report's place in the batch, from 0. */
  readonly reportIndex: number;
  readonly message: string;
}

/** What became of a batch. Whatever is in neither `rejections` nor `refusals` is stored. */
export interface Outcome {
  readonly reportsStored: number;
  readonly samplesStored: number;
  /** The weakest that a stored report reached; absent when none was stored. */
  readonly durability: Durability | undefined;
  /** The fewest that a stored report reached; 0 when none was stored. */
  readonly copies: number;
  readonly rejections: readonly Rejection[];
  readonly refusals: readonly Refusal[];
  /** How long to wait before sending refused reports again, in milliseconds; 0 when there are none. */
  readonly retryDelayMs: number;
}

/** Durabilities, weakest first. */
export const durabilityOrder: readonly Durability[] = ["memory", "process", "fsync"];
