import type { Batch } from "./batch.ts";
import { singleKey, space } from "./key.ts";
import { jsonOfPayload, jsonPayload } from "./record.ts";

/** Where the store stands: the payload of the `p` record. */
export interface Position {
  /** The least sequence of a batch whose record is kept. */
  readonly baseline: number;
  /** All records of the journal up to this sequence are in chunks. */
  readonly settled: number;
}

/** Where a new store stands. */
export const startPosition: Position = { baseline: 1, settled: 0 };

export const positionKey: Uint8Array = singleKey(space.position);

export function putPosition(batch: Batch, { baseline, settled }: Position): void {
  batch.put(positionKey, jsonPayload({ baseline, settled }));
}

/** Reads what {@link putPosition} wrote; format 1 had no journal. */
export function positionOf(payload: Uint8Array): Position {
  return { ...startPosition, ...jsonOfPayload<Partial<Position>>(payload) };
}
