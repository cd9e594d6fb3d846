import type { Fragment, MetricStore, Partition } from "@mon/store";
import { type ContentId, contentIdOf } from "./content.ts";

/** What a removal did. */
export interface Removal {
  readonly removed: number;
  /** Fragments of the partition that are there still. */
  readonly left: number;
}

/**
 * What a broker's own store has to be able to do. Besides what `MetricStore` promises, an export shows only what is as
 * durable as an acknowledged write: receipts are made of it.
 */
export interface ReplicaStore
  extends Pick<MetricStore, "write" | "read" | "partitions" | "exportPartition" | "importPartition"> {
  /**
   * Removes exactly the fragments named, of those that {@link exportPartition} gives now, and nothing else that came
   * since. One that is not there under this name, because it was packed meanwhile, stays. Durable when it resolves.
   */
  removeFragments(partition: Partition, ids: readonly ContentId[]): Promise<Removal>;
}

/** The content ids of a partition, by instant. */
export async function manifestOf(
  store: Pick<ReplicaStore, "exportPartition">,
  partition: Partition,
): Promise<ContentId[]> {
  const ids: ContentId[] = [];
  for await (const fragment of store.exportPartition(partition)) ids.push(contentIdOf(fragment));
  return ids;
}

/** Fragments as something to import. */
export async function* stream(fragments: Iterable<Fragment>): AsyncGenerator<Fragment> {
  yield* fragments;
}
