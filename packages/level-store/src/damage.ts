import { maxInstantMs } from "./key.ts";
import { type InstantRange, recentBatches } from "./manifest.ts";

/** Batches that were acknowledged and are not there any more. Kept until the data they can have held is past retention. */
export interface LostBatches {
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** When the batch before them was written; 0 when that is not known. */
  readonly fromWallMs: number;
  /** When the batch after them was written. */
  readonly toWallMs: number;
  /** The instants that they can have held. */
  readonly startMs: number;
  readonly endMs: number;
}

/** A batch beside a gap. */
export interface Neighbour {
  readonly wallMs: number;
  readonly recent: Readonly<InstantRange>;
}

/** What is known of lost batches from those before and after them. */
export function lostBatches(
  firstSequence: number,
  lastSequence: number,
  before: Neighbour | undefined,
  after: Neighbour,
): LostBatches {
  const covered = lastSequence - firstSequence < recentBatches && after.recent.minMs <= after.recent.maxMs;
  return {
    firstSequence,
    lastSequence,
    fromWallMs: before?.wallMs ?? 0,
    toWallMs: after.wallMs,
    startMs: covered ? after.recent.minMs : -maxInstantMs,
    endMs: covered
      ? after.recent.maxMs
      : Math.max(after.wallMs, after.recent.maxMs, before?.recent.maxMs ?? 0),
  };
}

/** Says it for people. */
export function describeLost(lost: LostBatches): string {
  const batches =
    lost.firstSequence === lost.lastSequence
      ? `batch ${lost.firstSequence}`
      : `batches ${lost.firstSequence} to ${lost.lastSequence}`;
  const since = lost.fromWallMs === 0 ? "" : `after ${iso(lost.fromWallMs)} and `;
  const from = lost.startMs === -maxInstantMs ? "of any time" : `from ${iso(lost.startMs)}`;
  return `${batches}, written ${since}before ${iso(lost.toWallMs)}, lost; samples ${from} to ${iso(lost.endMs)} may be missing`;
}

/** Whether lost batches may have held instants of a range, both ends included. */
export function touches(lost: LostBatches, startMs: number, endMs: number): boolean {
  return lost.startMs <= endMs && lost.endMs >= startMs;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
