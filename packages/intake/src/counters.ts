import type { Reason } from "./reason.ts";

/** What an intake has done since it was made. Numbers only rise. */
export interface IntakeCounters {
  /** Batches that got an outcome. */
  batches: number;
  /** Reports stored, repeats included. */
  reports: number;
  /** Samples stored, repeats included. */
  samples: number;
  /** Reports that were answered without a write of their own. */
  reportsRepeated: number;
  /** Reports refused for now. */
  reportsRefused: number;
  /** Reports whose time came in another unit. */
  timestampsConverted: number;
  /** Rejections by reason. */
  readonly rejections: Map<Reason, number>;
}

/** Counters at zero. */
export function createCounters(): IntakeCounters {
  return {
    batches: 0,
    reports: 0,
    samples: 0,
    reportsRepeated: 0,
    reportsRefused: 0,
    timestampsConverted: 0,
    rejections: new Map(),
  };
}
