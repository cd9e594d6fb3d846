import { bucketStart } from "@mon/hashring";

/** How long a block is: an hour. */
export const blockMs = 3_600_000;

/**
 * The start of the block of a host that holds an instant (R6): hours, shifted for each host by a hash of its id, so that
 * a block never straddles two owners. Both in milliseconds since the Unix epoch.
 */
export function blockStart(hostId: string, timestampMs: number): number {
  return bucketStart(hostId, timestampMs, blockMs);
}
