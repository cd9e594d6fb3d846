import type { MetricEntry, MetricStore } from "@mon/store";
import { invalidField } from "./errors.ts";
import { conditionsOf, type Selection } from "./selection.ts";

/** Where metrics come from: what listing them needs of a store. */
export type MetricSource = Pick<MetricStore, "metrics">;

/** Which metrics to list. */
export interface MetricListRequest extends Selection {
  /** At most so many, from 1 to {@link metricsMax}, the default. */
  readonly limit?: number;
}

/** Metrics by name. */
export interface MetricList {
  readonly metrics: readonly MetricEntry[];
  /** Whether there are more. */
  readonly truncated: boolean;
}

/** How many metrics may be listed. */
export const metricsMax = 10_000;

/**
 * The metrics that the chosen series belong to, the first `limit` of them by name.
 *
 * @throws {QueryError} QUERY_INVALID; errors of the store pass through
 */
export async function listMetrics(store: MetricSource, request: MetricListRequest = {}): Promise<MetricList> {
  const { hostIds, limit = metricsMax } = request;
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > metricsMax) {
    throw invalidField("limit", `to be from 1 to ${metricsMax}`, limit);
  }
  const { matchers } = conditionsOf(request);
  const metrics = await store.metrics({ matchers, ...(hostIds !== undefined && { hostIds }) });
  return { metrics: metrics.slice(0, limit), truncated: metrics.length > limit };
}
