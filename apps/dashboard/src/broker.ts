import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import {
  AdminService,
  Aggregation,
  type HostLatest,
  type ListHostsResponse,
  MatchType,
  type Metric,
  QueryService,
  type SeriesValues,
  type StatusResponse,
} from "@mon/proto";
import { intervalOfSeries } from "./rhythm.ts";
import type { Grid } from "./step.ts";

/** A question that has no answer after this long is given up, in milliseconds. */
const CALL_TIMEOUT_MS = 10_000;
/** The most hosts that one question is about. */
export const HOSTS_PER_CALL = 1_000;

/** An answer, and what is missing from it: for people, empty when it is whole. */
export interface Answer<T> {
  readonly value: T;
  readonly missing: readonly string[];
}

/** Which values of which series. */
export interface RangeQuestion {
  readonly hosts: readonly string[];
  readonly name: string;
  readonly grid: Grid;
  /** Whether the increase a second is wanted instead of the mean. */
  readonly rate: boolean;
}

/** All that the page asks of the broker that served it. Every method throws a ConnectError when it gets no answer. */
export class Broker {
  readonly #admin: Client<typeof AdminService>;
  readonly #query: Client<typeof QueryService>;

  constructor(transport: Transport) {
    this.#admin = createClient(AdminService, transport);
    this.#query = createClient(QueryService, transport);
  }

  /** How the broker is. */
  status(signal: AbortSignal): Promise<StatusResponse> {
    return this.#admin.status({}, { signal });
  }

  /** A page of hosts by id, at most {@link HOSTS_PER_CALL}. */
  hosts(pageToken: string, signal: AbortSignal): Promise<ListHostsResponse> {
    return this.#query.listHosts({ pageSize: HOSTS_PER_CALL, pageToken }, { signal });
  }

  /** Last values of the named hosts: of the named metrics, or of all. */
  async latest(
    hosts: readonly string[],
    names: readonly string[] | null,
    signal: AbortSignal,
  ): Promise<Answer<HostLatest[]>> {
    const matchers =
      names === null ? [] : [{ label: "__name__", type: MatchType.REGEXP, value: names.join("|") }];
    const answer = await this.#query.queryLatest({ hosts: [...hosts], matchers }, { signal });
    return { value: answer.hosts, missing: missing(answer) };
  }

  /** Metrics of the named hosts, by name. */
  async metrics(hosts: readonly string[], signal: AbortSignal): Promise<Metric[]> {
    const answer = await this.#query.listMetrics({ hosts: [...hosts] }, { signal });
    return answer.metrics;
  }

  /** Values over a range of time: means of a window, or increases a second. */
  async range(question: RangeQuestion, signal: AbortSignal): Promise<Answer<SeriesValues[]>> {
    const { startMs, endMs, stepMs } = question.grid;
    return this.#collect(
      {
        hosts: [...question.hosts],
        name: question.name,
        startMs: BigInt(startMs),
        endMs: BigInt(endMs),
        stepMs: BigInt(stepMs),
        aggregation: question.rate ? Aggregation.RATE : Aggregation.AVG,
      },
      signal,
    );
  }

  /**
   * The rhythm of a metric: milliseconds between two samples, of the slowest host; null when no series has two samples
   * in the past twenty minutes.
   */
  async interval(
    hosts: readonly string[],
    name: string,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<number | null> {
    for (const spanMs of [90_000, 1_200_000]) {
      const request = { hosts: [...hosts], name, startMs: BigInt(Math.floor(nowMs - spanMs)) };
      const { value } = await this.#collect(request, signal);
      const intervalMs = intervalOfSeries(value);
      if (intervalMs !== null) return intervalMs;
    }
    return null;
  }

  async #collect(
    request: Parameters<Client<typeof QueryService>["queryRange"]>[0],
    signal: AbortSignal,
  ): Promise<Answer<SeriesValues[]>> {
    const series: SeriesValues[] = [];
    let gaps: readonly string[] = ["the answer was cut short"];
    for await (const part of this.#query.queryRange(request, { signal })) {
      series.push(...part.series);
      if (part.summary !== undefined) gaps = missing(part.summary);
    }
    return { value: series, missing: gaps };
  }
}

function missing(answer: { partial: boolean; missing: string[] }): readonly string[] {
  if (!answer.partial) return [];
  return answer.missing.length > 0 ? answer.missing : ["the broker did not say what"];
}

/** The broker at an origin, by Connect over HTTP. */
export function brokerAt(origin: string): Broker {
  return new Broker(
    createConnectTransport({ baseUrl: origin, useBinaryFormat: true, defaultTimeoutMs: CALL_TIMEOUT_MS }),
  );
}
