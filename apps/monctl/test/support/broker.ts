import { createServer, type Http2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  AdminService,
  BrokerState,
  Durability,
  HostSchema,
  Kind,
  LabelSchema,
  type Matcher,
  MatchType,
  MemberState,
  MonitorService,
  PeerHealth,
  QueryService,
  Reason,
  type Report,
  ReportSchema,
} from "@mon/proto";

type Services = {
  admin: Partial<ServiceImpl<typeof AdminService>>;
  query: Partial<ServiceImpl<typeof QueryService>>;
  monitor: Partial<ServiceImpl<typeof MonitorService>>;
};

/** A broker that a test started. */
export interface TestBroker extends AsyncDisposable {
  readonly url: string;
  /** Cuts all connections, as the death of a broker does. */
  disconnect(): void;
  /** Requests in the order in which they came, by method. */
  readonly requests: { method: string; message: Record<string, unknown> }[];
}

/** A minute of the data set; its first value stands here. */
export const dataStartMs: number = Date.UTC(2026, 10, 23, 17, 0, 0);

/** The tiny data set: a gauge of two modes and a counter, of three hosts, every 10 s for a minute. */
const reports: Report[] = ["db-1", "web-1", "web-2"].flatMap((hostId, host) =>
  [0, 1, 2, 3, 4, 5].map((step) =>
    create(ReportSchema, {
      hostId,
      timestampMs: BigInt(dataStartMs + step * 10_000),
      samples: [
        cpu("system", 0.05),
        cpu("user", (host + 1) * 0.1 + step * 0.05),
        { name: "system_network_io_bytes_total", value: (host + 1) * 1_048_576 * step, kind: Kind.COUNTER },
      ],
    }),
  ),
);

function cpu(mode: string, value: number) {
  const labels = [create(LabelSchema, { name: "cpu_mode", value: mode })];
  return { name: "system_cpu_utilization_ratio", value, kind: Kind.GAUGE, labels };
}

const hostIds = ["db-1", "web-1", "web-2"];

/** Starts a broker with the data set on a free port; methods can be replaced. */
export async function startBroker(replaced: Partial<Services> = {}): Promise<TestBroker> {
  const requests: TestBroker["requests"] = [];
  let address = "";
  const routes = (router: ConnectRouter): void => {
    router.service(AdminService, { ...admin, ...clusterOf(() => address), ...replaced.admin });
    router.service(QueryService, { ...query, ...replaced.query });
    router.service(MonitorService, { ...monitor, ...replaced.monitor });
  };
  const sessions = new Set<Http2Session>();
  const server = createServer(
    connectNodeAdapter({
      routes,
      interceptors: [
        (next) => async (request) => {
          const record = (message: object): void => {
            requests.push({
              method: request.method.name,
              message: { ...message } as Record<string, unknown>,
            });
          };
          if (request.stream) return await next({ ...request, message: recorded(request.message, record) });
          record(request.message);
          return await next(request);
        },
      ],
    }),
  );
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  const disconnect = (): void => {
    for (const session of sessions) session.destroy();
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  address = `127.0.0.1:${port}`;
  return {
    url: `http://${address}`,
    requests,
    disconnect,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      disconnect();
      await closed;
    },
  };
}

/** Notes each message of a stream as it passes. */
async function* recorded<T extends object>(messages: AsyncIterable<T>, record: (message: T) => void) {
  for await (const message of messages) {
    record(message);
    yield message;
  }
}

const admin: Partial<ServiceImpl<typeof AdminService>> = {
  status: () => ({
    brokerId: "b1",
    version: "0.1.0",
    state: BrokerState.SERVING,
    timeMs: BigInt(dataStartMs),
    uptimeMs: 3_723_000n,
    intake: {
      batches: 9n,
      reports: 18n,
      samples: 54n,
      rejections: [{ reason: Reason.VALUE_NAN, count: 2n }],
      bytesInFlight: 0n,
      bytesInFlightMax: 536_870_912n,
      streams: 1,
      ackLatency: { count: 9n, p50Ms: 1.25, p99Ms: 4.5, maxMs: 5 },
      reportsPerSecond: 1.5,
      samplesPerSecond: 4.5,
    },
    store: {
      kind: "level",
      durability: Durability.FSYNC,
      hosts: 3n,
      series: 9n,
      bytes: 65_536n,
      retentionMs: 604_800_000n,
      location: "/var/lib/mon",
    },
    process: {
      pid: 4_242,
      residentBytes: 104_857_600n,
      heapBytes: 31_457_280n,
      cpuSeconds: 12.5,
      eventLoopDelayP99Ms: 11.2,
    },
  }),
};

/** A cluster of b1, which is the broker, and b2, whose agent door is the same: it must have one that answers. */
function clusterOf(address: () => string): Partial<ServiceImpl<typeof AdminService>> {
  const ring = {
    epoch: 2n,
    members: [
      { nodeId: "b1", weight: 1, share: 0.53 },
      { nodeId: "b2", weight: 1, zone: "east", share: 0.47 },
    ],
    parameters: {
      vnodes: 150,
      hash: "crc32-fmix32",
      shardBucketMs: 3_600_000n,
      replicationFactor: 2,
    },
  };
  return {
    listMembers: () => ({
      clusterId: "c1",
      leaderId: "b1",
      isStoreShared: true,
      members: ["b1", "b2"].map((nodeId, index) => ({
        facts: {
          nodeId,
          agentAddress: address(),
          peerAddress: `${nodeId}.example:7401`,
          zone: index === 0 ? "" : "east",
          weight: 1,
          version: "0.1.0",
          incarnation: `${nodeId}1`,
        },
        state: MemberState.ACTIVE,
        sinceMs: BigInt(dataStartMs),
        health: index === 0 ? PeerHealth.UNSPECIFIED : PeerHealth.ALIVE,
      })),
    }),
    getRing: () => ({ ring }),
    getRaftStatus: () => ({
      nodeId: "b1",
      role: "leader",
      term: 3n,
      leaderId: "b1",
      lastIndex: 9n,
      committed: 9n,
      applied: 9n,
      stateHash: "0011223344556677",
      voters: ["b1"],
      learners: ["b2"],
    }),
    leave: ({ nodeId }) => {
      if (nodeId === "b9") throw new ConnectError("expected a member, got b9", Code.NotFound);
      return { state: MemberState.LEFT };
    },
    remove: () => {
      throw new ConnectError("expected b2 to be left or joining or down, got active", Code.Aborted);
    },
    transferLeadership: () => ({}),
  };
}

const hostsPageMax = 2;

const query: ServiceImpl<typeof QueryService> = {
  listHosts({ prefix, pageToken, pageSize }) {
    const found = hostIds.filter((id) => id.startsWith(prefix) && id > pageToken);
    const page = found.slice(0, Math.min(hostsPageMax, pageSize));
    return {
      hosts: page.map((hostId) =>
        create(HostSchema, {
          hostId,
          lastSeenMs: BigInt(dataStartMs + hostIds.indexOf(hostId) * 1_000),
          series: 3,
          metadata: { agent_name: "mon-agent", agent_version: "0.1.0" },
        }),
      ),
      nextPageToken: found.length > page.length ? page.at(-1)! : "",
      hostsTotal: BigInt(hostIds.length),
    };
  },
  listMetrics({ hosts, matchers }) {
    const all = [
      { name: "system_cpu_utilization_ratio", kind: Kind.GAUGE, series: 6, labelNames: ["cpu_mode"] },
      { name: "system_network_io_bytes_total", kind: Kind.COUNTER, series: 3 },
    ];
    const known = hosts.length === 0 || hosts.some((host) => hostIds.includes(host));
    return { metrics: known ? all.filter(({ name }) => matches(matchers, { __name__: name })) : [] };
  },
  queryLatest({ hosts, name, matchers }) {
    const chosen = hostIds.filter((id) => hosts.length === 0 || hosts.includes(id));
    return {
      hosts: chosen.map((hostId) => {
        const last = reports.findLast((report) => report.hostId === hostId)!;
        const samples = last.samples.filter((sample) => chosenSample(hostId, sample, name, matchers));
        return {
          hostId,
          lastSeenMs: last.timestampMs,
          values: samples.map((sample) => ({ sample, timestampMs: last.timestampMs })),
        };
      }),
    };
  },
  async *queryRange({ hosts, name, matchers, startMs, endMs }) {
    if (matchers.some(({ type, value }) => type === MatchType.REGEXP && value === "(")) {
      throw new ConnectError(
        "matchers[0].value: expected a regular expression, got an open group",
        Code.InvalidArgument,
      );
    }
    const seen = new Set<string>();
    for (const report of reports) {
      if (hosts.length > 0 && !hosts.includes(report.hostId)) continue;
      if (report.timestampMs < startMs || report.timestampMs > endMs) continue;
      const samples = report.samples.filter((sample) => chosenSample(report.hostId, sample, name, matchers));
      for (const { name, labels } of samples)
        seen.add(JSON.stringify([report.hostId, name, labels[0]?.value]));
      yield {
        series: samples.map(({ name, labels, kind, value }) => ({
          series: { hostId: report.hostId, name, labels, kind },
          baseMs: BigInt(dataStartMs),
          offsetsMs: [Number(report.timestampMs) - dataStartMs],
          values: [value],
        })),
      };
    }
    yield { summary: { series: seen.size, samplesRead: BigInt(seen.size * 6) } };
  },
  async *watch({ hosts, name, matchers }, { signal }) {
    const chosen = reports.slice(0, 8).filter(({ hostId }) => hosts.length === 0 || hosts.includes(hostId));
    for (const [index, report] of chosen.entries()) {
      const samples = report.samples.filter((sample) => chosenSample(report.hostId, sample, name, matchers));
      yield { reports: [{ ...report, samples }], reportsMissed: index === 1 ? 7 : 0 };
    }
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  },
};

const monitor: Partial<ServiceImpl<typeof MonitorService>> = {
  push({ reports }) {
    const rejections = reports.flatMap((report, reportIndex) =>
      report.samples.flatMap(({ name, value }, sampleIndex) =>
        Number.isNaN(value)
          ? {
              reportIndex,
              sampleIndex,
              hostId: report.hostId,
              name,
              reason: Reason.VALUE_NAN,
              field: `reports[${reportIndex}].samples[${sampleIndex}].value`,
              message: "expected a number, got NaN",
            }
          : [],
      ),
    );
    const samples = reports.reduce((count, report) => count + report.samples.length, 0) - rejections.length;
    return {
      outcome: {
        reportsStored: reports.length,
        samplesStored: samples,
        durability: Durability.FSYNC,
        copies: 1,
        rejections,
      },
    };
  },
};

function chosenSample(
  host: string,
  sample: { name: string; labels: { name: string; value: string }[] },
  name: string,
  matchers: Matcher[],
): boolean {
  if (name !== "" && sample.name !== name) return false;
  const labels = Object.fromEntries(sample.labels.map((label) => [label.name, label.value]));
  return matches(matchers, { ...labels, __host__: host, __name__: sample.name });
}

function matches(matchers: Matcher[], labels: Record<string, string>): boolean {
  return matchers.every(({ label, type, value }) => {
    const actual = labels[label] ?? "";
    const found =
      type === MatchType.REGEXP || type === MatchType.NOT_REGEXP
        ? new RegExp(`^(?:${value})$`).test(actual)
        : actual === value;
    return type === MatchType.NOT_EQUAL || type === MatchType.NOT_REGEXP ? !found : found;
  });
}
