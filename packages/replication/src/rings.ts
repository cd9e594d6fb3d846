import type { ClusterState } from "@mon/cluster";

/** What of a cluster's state says where data lies; a `ClusterState` is one. Only what was committed may stand here. */
export type Rings = Pick<ClusterState, "members" | "ring" | "change" | "past">;

/** The epoch under which data is written and fetched: that of the pending ring, if there is one. */
export function epochOf({ ring, change }: Rings): number {
  return change?.ring.epoch ?? ring.epoch;
}
