import { setImmediate as nextTurn } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "@mon/intake";
import {
  Aggregation as AggregationMessage,
  type HostLatestSchema,
  type Matcher as MatcherMessage,
  MatchType as MatchTypeMessage,
  type QueryRangeRequest,
  QueryRangeResponseSchema,
  type QueryService,
  SeriesValuesSchema,
} from "@mon/proto";
import {
  type Aggregation,
  listMetrics,
  QueryError,
  queryLatest,
  queryRange,
  type SeriesSlice,
} from "@mon/query";
import { type HostLatest, type Matcher, type MatchType, type MetricStore, StoreError } from "@mon/store";
import type { Liveness } from "./liveness.ts";
import type { Turnstile } from "./turnstile.ts";
import type { WatchHub } from "./watch-hub.ts";

/** What the service works with. */
export interface QueryDeps {
  readonly store: MetricStore;
  readonly liveness: Liveness;
  readonly watchHub: WatchHub;
  readonly clock: Clock;
  /** Bounds the queries that are under way. */
  readonly turnstile: Turnstile;
  readonly samplesMax: number;
  readonly timeoutMs: number;
  /** Aborted when the broker stops. */
  readonly draining: AbortSignal;
}

/** Of what is encoded at once: about 2,000 values, a millisecond, a few for the first. */
const batchBytesMax = 32 * 1024;

const pageSizeDefault = 1_000;
const pageSizeMax = 10_000;

const matchTypes: Record<MatchTypeMessage, MatchType> = {
  [MatchTypeMessage.UNSPECIFIED]: "=",
  [MatchTypeMessage.EQUAL]: "=",
  [MatchTypeMessage.NOT_EQUAL]: "!=",
  [MatchTypeMessage.REGEXP]: "=~",
  [MatchTypeMessage.NOT_REGEXP]: "!~",
};

const aggregations: Record<AggregationMessage, Aggregation | undefined> = {
  [AggregationMessage.UNSPECIFIED]: undefined,
  [AggregationMessage.AVG]: "avg",
  [AggregationMessage.MIN]: "min",
  [AggregationMessage.MAX]: "max",
  [AggregationMessage.SUM]: "sum",
  [AggregationMessage.COUNT]: "count",
  [AggregationMessage.LAST]: "last",
  [AggregationMessage.FIRST]: "first",
  [AggregationMessage.RATE]: "rate",
  [AggregationMessage.INCREASE]: "increase",
};

/** `mon.v1.QueryService`. */
export function createQueryService(deps: QueryDeps): ServiceImpl<typeof QueryService> {
  const { store, liveness, watchHub } = deps;
  return {
    queryRange: (request, context) => answerRange(deps, request, context),

    async queryLatest(request, context) {
      const { hosts, next } = await guarded(deps, context, (signal) =>
        queryLatest(
          store,
          {
            ...selection(request),
            ...(request.pageSize > 0 && { pageSize: request.pageSize }),
            ...(request.pageToken !== "" && { after: request.pageToken }),
          },
          { signal, breathe: nextTurn },
        ),
      );
      return { hosts: hosts.map(hostLatestMessage), nextPageToken: next ?? "" };
    },

    async listHosts({ prefix, pageSize, pageToken }) {
      if (pageSize > pageSizeMax) {
        throw new ConnectError(
          `page_size: expected at most ${pageSizeMax}, got ${pageSize}`,
          Code.InvalidArgument,
        );
      }
      const limit = pageSize || pageSizeDefault;
      const [hosts, { hosts: hostsTotal }] = await Promise.all([
        store.hosts({ prefix, limit, ...(pageToken !== "" && { after: pageToken }) }),
        store.stats(),
      ]).catch((error: unknown) => {
        throw callError(error);
      });
      return {
        hosts: hosts.map((host) => ({
          hostId: host.hostId,
          lastSeenMs: BigInt(host.lastSeenMs),
          series: host.series,
          lastHeartbeatMs: BigInt(liveness.lastHeartbeatMs(host.hostId)),
          metadata: host.metadata,
        })),
        nextPageToken: hosts.length === limit ? hosts.at(-1)!.hostId : "",
        hostsTotal: BigInt(hostsTotal),
      };
    },

    async listMetrics(request, context) {
      const { metrics, truncated } = await guarded(deps, context, () =>
        listMetrics(store, selection(request)),
      );
      return {
        metrics: metrics.map((metric) => ({ ...metric, labelNames: [...metric.labelNames] })),
        truncated,
      };
    },

    async *watch(request, context) {
      const signal = AbortSignal.any([context.signal, deps.draining]);
      const { name, hosts } = request;
      const named: Matcher[] = name === "" ? [] : [{ label: "__name__", type: "=", value: name }];
      try {
        const matchers = [...named, ...matchersOf(request.matchers)];
        for await (const { reports, missed } of watchHub.watch(
          hosts.length > 0 ? hosts : undefined,
          matchers,
          signal,
        )) {
          yield { reports, reportsMissed: missed };
        }
      } catch (error) {
        throw callError(error);
      }
      if (deps.draining.aborted)
        throw new ConnectError("this broker is stopping, use another", Code.Unavailable);
    },
  };
}

async function* answerRange(deps: QueryDeps, request: QueryRangeRequest, context: HandlerContext) {
  const { store, samplesMax, clock } = deps;
  const leave = deps.turnstile.enter();
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(deps.timeoutMs)]);
  try {
    if (!(request.aggregation in aggregations)) {
      throw new ConnectError(
        `aggregation: expected 0 to 9, got ${request.aggregation}`,
        Code.InvalidArgument,
      );
    }
    const aggregation = aggregations[request.aggregation];
    const slices = queryRange(
      store,
      {
        ...selection(request),
        startMs: Number(request.startMs),
        endMs: request.endMs === 0n ? clock.now() : Number(request.endMs),
        stepMs: Number(request.stepMs),
        ...(aggregation !== undefined && { aggregation }),
      },
      { signal, breathe: nextTurn, samplesMax, batchBytesMax },
    );
    while (true) {
      const next = await slices.next();
      if (next.done) {
        const { series, samplesRead, partial, missing } = next.value;
        yield create(QueryRangeResponseSchema, {
          summary: { series, samplesRead: BigInt(samplesRead), partial, missing: [...missing] },
        });
        return;
      }
      yield create(QueryRangeResponseSchema, { series: next.value.map(seriesValuesMessage) });
    }
  } catch (error) {
    throw callError(error, deps.timeoutMs);
  } finally {
    leave();
  }
}

/** Runs a query in its turn, within its time. */
async function guarded<T>(
  deps: QueryDeps,
  context: HandlerContext,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const leave = deps.turnstile.enter();
  try {
    return await run(AbortSignal.any([context.signal, AbortSignal.timeout(deps.timeoutMs)]));
  } catch (error) {
    throw callError(error, deps.timeoutMs);
  } finally {
    leave();
  }
}

/** An error as a caller should see it. */
function callError(error: unknown, timeoutMs = 0): unknown {
  if (error instanceof QueryError) {
    switch (error.code) {
      case "QUERY_INVALID":
        return new ConnectError(error.message, Code.InvalidArgument, undefined, undefined, error);
      case "QUERY_TOO_LARGE":
        return new ConnectError(error.message, Code.ResourceExhausted, undefined, undefined, error);
      case "QUERY_CANCELLED":
        if (error.cause instanceof DOMException && error.cause.name === "TimeoutError") {
          return new ConnectError(
            `expected to finish within ${timeoutMs} ms, did not`,
            Code.DeadlineExceeded,
          );
        }
        return new ConnectError("cancelled", Code.Canceled, undefined, undefined, error);
    }
  }
  if (error instanceof StoreError) {
    const code = error.code === "STORE_MATCHER_INVALID" ? Code.InvalidArgument : Code.Unavailable;
    return new ConnectError(error.message, code, undefined, undefined, error);
  }
  return error;
}

interface SelectionMessage {
  readonly hosts: string[];
  readonly name?: string;
  readonly matchers: MatcherMessage[];
}

function selection({ hosts, name, matchers }: SelectionMessage) {
  return {
    ...(hosts.length > 0 && { hostIds: hosts }),
    ...(name !== undefined && name !== "" && { name }),
    matchers: matchersOf(matchers),
  };
}

function matchersOf(matchers: readonly MatcherMessage[]): Matcher[] {
  return matchers.map(({ label, type, value }, index) => {
    const matchType = matchTypes[type as MatchTypeMessage];
    if (matchType === undefined) {
      throw new ConnectError(`matchers[${index}].type: expected 0 to 4, got ${type}`, Code.InvalidArgument);
    }
    return { label, type: matchType, value };
  });
}

function seriesValuesMessage({ hostId, series, timestampsMs, values, flags }: SeriesSlice) {
  const baseMs = timestampsMs[0]!;
  return create(SeriesValuesSchema, {
    series: { hostId, name: series.name, labels: [...series.labels], kind: series.kind },
    baseMs: BigInt(baseMs),
    offsetsMs: Array.from(timestampsMs, (timestampMs) => timestampMs - baseMs),
    values: Array.from(values),
    flags: flags === undefined ? [] : Array.from(flags),
  });
}

function hostLatestMessage({
  hostId,
  lastSeenMs,
  samples,
}: HostLatest): MessageInitShape<typeof HostLatestSchema> {
  return {
    hostId,
    lastSeenMs: BigInt(lastSeenMs),
    values: samples.map(({ name, value, labels, kind, flags, timestampMs }) => ({
      sample: { name, value, labels: [...labels], kind, flags },
      timestampMs: BigInt(timestampMs),
    })),
  };
}
