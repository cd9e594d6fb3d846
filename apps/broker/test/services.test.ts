import { fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import {
  Aggregation,
  BrokerState,
  Durability,
  Kind,
  MatchType,
  MonitorService,
  type QueryRangeRequest,
  QueryService,
  type WatchResponse,
} from "@mon/proto";
import {
  Health,
  ServerReflection,
  type ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "@mon/proto/grpc";
import { encodeSamples, type Fragment } from "@mon/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Turnstile } from "../src/services/turnstile.ts";
import { WatchHub } from "../src/services/watch-hub.ts";
import { AsyncQueue } from "./support/async-queue.ts";
import { BrokerProcess } from "./support/broker-process.ts";
import { metricValue, parseMetrics } from "./support/metrics-text.ts";
import { queryRange, reportOf } from "./support/reports.ts";

const timeout = 60_000;
const minute = 60_000;

let broker: BrokerProcess;
beforeAll(async () => {
  broker = await BrokerProcess.start({ args: ["--node-id", "broker-a"] });
}, timeout);
afterAll(() => broker[Symbol.asyncDispose]());

describe("MonitorService", { timeout }, () => {
  it("registers a host with its metadata, and remembers its heartbeat", async () => {
    const registered = await broker.monitor.register({
      hostId: "reg-1",
      agentName: "mon-agent",
      agentVersion: "1.2.3",
      metadata: { os: "linux" },
    });
    expect(registered).toMatchObject({
      brokerId: "broker-a",
      brokerVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
      heartbeatIntervalMs: expect.any(Number),
      messageBytesMax: 4_194_304,
      samplesMax: 10_000,
    });
    const before = Date.now();
    const { brokerTimeMs } = await broker.monitor.heartbeat({ hostId: "reg-1" });
    expect(Number(brokerTimeMs)).toBeGreaterThanOrEqual(before);
    const { hosts } = await broker.query.listHosts({ prefix: "reg-" });
    expect(hosts).toMatchObject([
      {
        hostId: "reg-1",
        lastSeenMs: 0n,
        series: 0,
        lastHeartbeatMs: brokerTimeMs,
        metadata: { os: "linux", agent_name: "mon-agent", agent_version: "1.2.3" },
      },
    ]);
  });

  it.each([
    ["register", { hostId: "no host" }, /^\[invalid_argument\] host_id: .*"no host"/],
    [
      "register",
      { hostId: "h", metadata: { big: "x".repeat(1_025) } },
      /metadata\["big"\]: expected at most 1024/,
    ],
    [
      "register",
      { hostId: "h", metadata: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, "v"])) },
      /metadata: expected at most 32 entries, got 33/,
    ],
    ["heartbeat", { hostId: "" }, /host_id: /],
  ] as const)("%s refuses what it cannot take, by field (%#)", async (method, request, message) => {
    const call = broker.monitor[method](request);
    await expect(call).rejects.toMatchObject({
      code: Code.InvalidArgument,
      message: expect.stringMatching(message),
    });
  });
});

/** What the queries below are asked about: three hosts with a gauge, a counter and labels, every ten seconds. */
const base = Math.floor(Date.now() / minute) * minute - 30 * minute;
const instants = Array.from({ length: 61 }, (_, i) => base + i * 10_000);
const gauge = (host: number, i: number): number => ((i * 7 + host * 13) % 31) - 5.5;
const counter = (host: number, i: number): number => (i < 30 ? i : i - 30) * (host + 1) * 4;
const hosts = ["q-0", "q-1", "q-2"];

describe("QueryService", { timeout }, () => {
  beforeAll(async () => {
    const reports = hosts.flatMap((hostId, host) =>
      instants.map((timestampMs, i) =>
        reportOf(hostId, timestampMs, [
          { name: "temp", value: gauge(host, i), labels: { core: String(host), unit: "c" } },
          { name: "work_total", value: counter(host, i), kind: Kind.COUNTER },
        ]),
      ),
    );
    const { outcome } = await broker.monitor.push({ reports });
    expect(outcome).toMatchObject({ reportsStored: reports.length, durability: Durability.FSYNC, copies: 1 });
  });

  const range = { startMs: BigInt(instants[0]!), endMs: BigInt(instants.at(-1)!) };

  it("QueryRange gives the samples as they were stored", async () => {
    const { series, summary } = await queryRange(broker.query, { ...range, hosts: ["q-1"], name: "temp" });
    expect(series).toEqual([
      {
        hostId: "q-1",
        name: "temp",
        labels: { core: "1", unit: "c" },
        points: instants.map((timestampMs, i) => [timestampMs, gauge(1, i)]),
      },
    ]);
    expect(summary).toMatchObject({ series: 1, samplesRead: 61n, partial: false, missing: [] });
  });

  it.each([
    ["=", [{ label: "core", type: MatchType.EQUAL, value: "2" }], ["q-2 temp"]],
    [
      "!=",
      [{ label: "core", type: MatchType.NOT_EQUAL, value: "2" }],
      ["q-0 temp", "q-0 work_total", "q-1 temp", "q-1 work_total", "q-2 work_total"],
    ],
    [
      "=~",
      [{ label: "__name__", type: MatchType.REGEXP, value: "te.p|none" }],
      ["q-0 temp", "q-1 temp", "q-2 temp"],
    ],
    [
      "!~",
      [{ label: "__name__", type: MatchType.NOT_REGEXP, value: "te.p" }],
      ["q-0 work_total", "q-1 work_total", "q-2 work_total"],
    ],
    [
      "a host's",
      [
        { label: "__host__", type: MatchType.REGEXP, value: "q-[02]" },
        { label: "__name__", value: "temp" },
      ],
      ["q-0 temp", "q-2 temp"],
    ],
  ])("QueryRange chooses series by %s matchers", async (_, matchers, wanted) => {
    const { series } = await queryRange(broker.query, { ...range, hosts, matchers });
    expect(series.map(({ hostId, name }) => `${hostId} ${name}`).sort()).toEqual(wanted);
  });

  const step = minute;
  /** Windows of (t − step, t] by index into `instants`, for t = start, start + step, … */
  const windows = Array.from({ length: 11 }, (_, k) =>
    instants.flatMap((timestampMs, i) =>
      timestampMs > base + (k - 1) * step && timestampMs <= base + k * step ? [i] : [],
    ),
  );
  const sum = (values: number[]): number => values.reduce((a, b) => a + b, 0);
  const folds: readonly [Aggregation, (values: number[]) => number][] = [
    [Aggregation.AVG, (values) => sum(values) / values.length],
    [Aggregation.MIN, (values) => Math.min(...values)],
    [Aggregation.MAX, (values) => Math.max(...values)],
    [Aggregation.SUM, sum],
    [Aggregation.COUNT, (values) => values.length],
    [Aggregation.LAST, (values) => values.at(-1)!],
    [Aggregation.FIRST, (values) => values[0]!],
    [Aggregation.UNSPECIFIED, (values) => values.at(-1)!],
  ];
  it.each(folds)(
    "QueryRange by steps with aggregation %i equals what the samples say (R34)",
    async (aggregation, fold) => {
      const request = { ...range, hosts: ["q-2"], name: "temp", stepMs: BigInt(step), aggregation };
      const { series } = await queryRange(broker.query, request);
      expect(series[0]!.points.map(([timestampMs]) => timestampMs)).toEqual(
        windows.map((_, k) => base + k * step),
      );
      for (const [k, [, value]] of series[0]!.points.entries()) {
        expect(value).toBeCloseTo(fold(windows[k]!.map((i) => gauge(2, i))), 9);
      }
    },
  );

  it.each([Aggregation.RATE, Aggregation.INCREASE])(
    "QueryRange %i counts a counter up across its reset",
    async (aggregation) => {
      const request = {
        ...range,
        hosts: ["q-1"],
        name: "work_total",
        stepMs: BigInt(5 * minute),
        aggregation,
      };
      const { series } = await queryRange(broker.query, request);
      // 8 each ten seconds; 30 steps of them in the first five minutes, the reset to 0 in the second.
      const increase = series[0]!.points.map(([, value]) =>
        aggregation === Aggregation.RATE ? value * 300 : value,
      );
      expect(increase).toHaveLength(2);
      for (const value of increase) {
        expect(value).toBeGreaterThan(225);
        expect(value).toBeLessThan(241);
      }
    },
  );

  it("QueryRange takes no end for now", async () => {
    const { series } = await queryRange(broker.query, {
      startMs: range.startMs,
      hosts: ["q-0"],
      name: "temp",
    });
    expect(series[0]!.points).toHaveLength(61);
  });

  it.each([
    ["an end before its start", { startMs: 10n, endMs: 9n }, /end/],
    [
      "a bad expression",
      { ...range, matchers: [{ label: "a", type: MatchType.REGEXP, value: "(" }] },
      /matchers\[0\]|\(/,
    ],
    [
      "a matcher of no known type",
      { ...range, matchers: [{ label: "a", type: 9 as MatchType, value: "" }] },
      /matchers\[0\]\.type.*9/,
    ],
    ["too many values", { startMs: 0n, endMs: range.endMs, stepMs: 1n }, /step/],
    ["a negative step", { ...range, stepMs: -1n }, /step/],
    ["an aggregation without a step", { ...range, aggregation: Aggregation.AVG }, /step/],
    [
      "an aggregation that there is none of",
      { ...range, stepMs: 1_000n, aggregation: 77 as Aggregation },
      /aggregation.*77/,
    ],
  ] satisfies [string, Partial<QueryRangeRequest> | object, RegExp][])(
    "QueryRange refuses %s, by field",
    async (_, request, message) => {
      await expect(queryRange(broker.query, request)).rejects.toMatchObject({
        code: Code.InvalidArgument,
        rawMessage: expect.stringMatching(message),
      });
    },
  );

  it("turns away queries beyond those that may be under way, for now", () => {
    const turnstile = new Turnstile(2, "queries");
    const leave = turnstile.enter();
    turnstile.enter();
    expect(() => turnstile.enter()).toThrow(expect.objectContaining({ code: Code.Unavailable }));
    leave();
    leave();
    expect(turnstile.inside).toBe(1);
    turnstile.enter();
  });

  it("QueryLatest gives the last values, filtered, page by page", async () => {
    const all = await broker.query.queryLatest({ hosts: ["q-1"] });
    expect(all.hosts).toMatchObject([
      {
        hostId: "q-1",
        lastSeenMs: range.endMs,
        values: [
          {
            sample: {
              name: "temp",
              value: gauge(1, 60),
              labels: [
                { name: "core", value: "1" },
                { name: "unit", value: "c" },
              ],
            },
            timestampMs: range.endMs,
          },
          { sample: { name: "work_total", value: counter(1, 60), kind: Kind.COUNTER } },
        ],
      },
    ]);
    const seen: string[] = [];
    let pages = 0;
    let pageToken = "";
    do {
      const page = await broker.query.queryLatest({ name: "temp", pageSize: 2, pageToken });
      for (const { hostId, values } of page.hosts) {
        seen.push(hostId);
        expect(values.map(({ sample }) => sample!.name)).toEqual(["temp"]);
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "" && ++pages < 10);
    expect(seen).toEqual(hosts);
  });

  it("ListHosts pages by id, with hosts and series in all", async () => {
    const first = await broker.query.listHosts({ prefix: "q-", pageSize: 2 });
    expect(first.hosts).toMatchObject([
      { hostId: "q-0", series: 2, lastSeenMs: range.endMs },
      { hostId: "q-1", series: 2 },
    ]);
    const second = await broker.query.listHosts({
      prefix: "q-",
      pageSize: 2,
      pageToken: first.nextPageToken,
    });
    expect(second.hosts.map(({ hostId }) => hostId)).toEqual(["q-2"]);
    expect(second.nextPageToken).toBe("");
    await expect(broker.query.listHosts({ pageSize: 10_001 })).rejects.toMatchObject({
      code: Code.InvalidArgument,
    });
  });

  it("ListMetrics gives names, kinds and labels", async () => {
    const { metrics, truncated } = await broker.query.listMetrics({ hosts });
    expect(truncated).toBe(false);
    expect(metrics).toMatchObject([
      { name: "temp", kind: Kind.GAUGE, series: 3, labelNames: ["core", "unit"] },
      { name: "work_total", kind: Kind.COUNTER, series: 3, labelNames: [] },
    ]);
  });

  it("Watch shows what is stored from now on, of the hosts and series that were asked for", async () => {
    const ended = new AbortController();
    const matchers = [{ label: "core", type: MatchType.NOT_EQUAL, value: "1" }];
    const messages = broker.query.watch({ hosts: ["w-1"], name: "temp", matchers }, { signal: ended.signal });
    const seen: WatchResponse[] = [];
    const watching = (async () => {
      for await (const message of messages) {
        seen.push(message);
        if (message.reports.some(({ timestampMs }) => timestampMs === last)) return;
      }
    })();
    let timestampMs = Date.now() - minute;
    let last: bigint | undefined;
    const push = async (): Promise<void> => {
      timestampMs++;
      const samples = [
        { name: "temp", value: timestampMs, labels: { core: "0" } },
        { name: "temp", value: 1, labels: { core: "1" } },
        { name: "other", value: 1 },
      ];
      await broker.monitor.push({
        reports: [reportOf("w-2", timestampMs, samples), reportOf("w-1", timestampMs, samples)],
      });
    };
    // A watch begins somewhat after it was asked for.
    while (seen.length === 0) await push();
    last = BigInt(timestampMs + 1);
    await push();
    await watching;
    ended.abort();
    const reports = seen.flatMap((message) => message.reports);
    for (const report of reports) {
      expect(report).toMatchObject({
        hostId: "w-1",
        samples: [
          { name: "temp", value: Number(report.timestampMs), labels: [{ name: "core", value: "0" }] },
        ],
      });
    }
    expect(seen.every(({ reportsMissed }) => reportsMissed === 0)).toBe(true);
  });

  it("a watcher who is behind misses reports, and learns how many", async () => {
    const hub = new WatchHub();
    const ended = new AbortController();
    const sightings = hub.watch(undefined, [], ended.signal);
    const bytes = encodeSamples([{ name: "m", value: 1, labels: [], kind: 0, flags: 0 }]);
    const shown = (count: number): Fragment[] =>
      Array.from({ length: count }, (_, i) => ({ hostId: "h", timestampMs: i, idHigh: 0, idLow: i, bytes }));
    const first = sightings.next();
    hub.show(shown(1));
    expect((await first).value).toMatchObject({ missed: 0, reports: [{ hostId: "h" }] });
    hub.show(shown(1_250));
    let received = 0;
    const missed: number[] = [];
    for (let i = 0; i < 10; i++) {
      const { value } = await sightings.next();
      received += value!.reports.length;
      missed.push(value!.missed);
    }
    expect([received, missed]).toEqual([1_000, [250, 0, 0, 0, 0, 0, 0, 0, 0, 0]]);
    const none = sightings.next();
    ended.abort();
    expect((await none).done).toBe(true);
    expect(hub.watchers).toBe(0);
  });
});

describe("AdminService, health and reflection", { timeout }, () => {
  it("Status says what the broker has taken, and how it is", async () => {
    const before = await broker.admin.status({});
    const reports = [
      reportOf("s-1", Date.now(), [
        { name: "m", value: 1 },
        { name: "n", value: Number.NaN },
      ]),
    ];
    await broker.monitor.push({ reports });
    await broker.monitor.push({ reports });
    const after = await broker.admin.status({});
    const rise = (pick: (status: typeof after) => bigint): bigint => pick(after) - pick(before);
    expect(rise(({ intake }) => intake!.batches)).toBe(2n);
    expect(rise(({ intake }) => intake!.reports)).toBe(2n);
    expect(rise(({ intake }) => intake!.samples)).toBe(2n);
    expect(rise(({ intake }) => intake!.reportsRepeated)).toBe(1n);
    expect(rise(({ intake }) => intake!.ackLatency!.count)).toBe(2n);
    expect(after).toMatchObject({
      brokerId: "broker-a",
      state: BrokerState.SERVING,
      problems: [],
      store: { kind: "level", durability: Durability.FSYNC, damage: [], location: `${broker.dataDir}/store` },
      process: { pid: broker.pid },
    });
    expect(after.intake!.bytesInFlight).toBe(0n);
    expect(after.store!.hosts).toBeGreaterThan(0n);
    expect(after.intake!.ackLatency!.p99Ms).toBeGreaterThanOrEqual(after.intake!.ackLatency!.p50Ms);
  });

  it("health answers for the server and each service, and knows no other", async () => {
    for (const service of ["", "mon.v1.MonitorService", "mon.v1.QueryService", "mon.v1.AdminService"]) {
      expect(await broker.health.check({ service })).toMatchObject({ status: ServingStatus.SERVING });
    }
    await expect(broker.health.check({ service: "nope" })).rejects.toMatchObject({ code: Code.NotFound });
    for await (const { status } of broker.health.watch({ service: "nope" })) {
      expect(status).toBe(ServingStatus.SERVICE_UNKNOWN);
      break;
    }
  });

  it("reflection lists the services, and gives their files with all that they import", async () => {
    const requests = new AsyncQueue<MessageInitShape<typeof ServerReflectionRequestSchema>>();
    const answers = createClient(ServerReflection, broker.transport)
      .serverReflectionInfo(requests)
      [Symbol.asyncIterator]();
    const ask = async (
      kind: "listServices" | "fileContainingSymbol" | "fileByFilename",
      value: string,
    ): Promise<ServerReflectionResponse["messageResponse"]> => {
      requests.push({ messageRequest: { case: kind, value } });
      return (await answers.next()).value!.messageResponse;
    };
    const services = await ask("listServices", "");
    expect(
      services.case === "listServicesResponse" && services.value.service.map(({ name }) => name),
    ).toEqual([
      "mon.v1.MonitorService",
      "mon.v1.QueryService",
      "mon.v1.AdminService",
      Health.typeName,
      ServerReflection.typeName,
    ]);
    for (const symbol of ["mon.v1.MonitorService", "mon.v1.MonitorService.Report", "mon.v1.ReportRequest"]) {
      const found = await ask("fileContainingSymbol", symbol);
      if (found.case !== "fileDescriptorResponse") throw new Error(`expected files, got ${found.case}`);
      const files = found.value.fileDescriptorProto.map((bytes) =>
        fromBinary(FileDescriptorProtoSchema, bytes),
      );
      expect(files.map(({ name }) => name)).toEqual([
        "mon/v1/monitor.proto",
        "mon/v1/report.proto",
        "google/protobuf/timestamp.proto",
      ]);
      expect(files[0]!.service[0]!.method.map(({ name }) => name)).toEqual([
        "Report",
        "Push",
        "Register",
        "Heartbeat",
      ]);
    }
    expect((await ask("fileByFilename", "mon/v1/query.proto")).case).toBe("fileDescriptorResponse");
    expect(await ask("fileContainingSymbol", "nope.Nope")).toMatchObject({
      case: "errorResponse",
      value: { errorCode: Code.NotFound },
    });
    requests.end();
  });
});

describe("the doors", { timeout }, () => {
  const transports = {
    "gRPC on 7400": () => createGrpcTransport({ baseUrl: broker.grpcUrl }),
    "gRPC-web on 7400": () => createGrpcWebTransport({ baseUrl: broker.grpcUrl, httpVersion: "2" }),
    "Connect on 7400": () =>
      createConnectTransport({ baseUrl: broker.grpcUrl, httpVersion: "2", useBinaryFormat: true }),
    "Connect JSON on 7400": () => createConnectTransport({ baseUrl: broker.grpcUrl, httpVersion: "2" }),
    "Connect on 7480": () =>
      createConnectTransport({ baseUrl: broker.httpUrl, httpVersion: "1.1", useBinaryFormat: true }),
    "Connect JSON on 7480": () => createConnectTransport({ baseUrl: broker.httpUrl, httpVersion: "1.1" }),
    "gRPC-web on 7480": () => createGrpcWebTransport({ baseUrl: broker.httpUrl, httpVersion: "1.1" }),
  };
  it.each(Object.entries(transports))("%s stores and reads back", async (name, transport) => {
    const hostId = `door-${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}`;
    const timestampMs = Date.now();
    const monitor = createClient(MonitorService, transport());
    const { outcome } = await monitor.push({
      reports: [reportOf(hostId, timestampMs, [{ name: "m", value: 2.5 }])],
    });
    expect(outcome).toMatchObject({ reportsStored: 1, durability: Durability.FSYNC });
    const query = createClient(QueryService, transport());
    const { series } = await queryRange(query, { hosts: [hostId], startMs: BigInt(timestampMs) });
    expect(series).toMatchObject([{ hostId, points: [[timestampMs, 2.5]] }]);
  });

  it.each(["gRPC on 7400", "Connect on 7400", "Connect JSON on 7400"] as const)(
    "%s takes report streams",
    async (name) => {
      async function* requests() {
        for (let sequence = 1; sequence <= 3; sequence++) {
          yield {
            sequence,
            reports: [reportOf("streams", Date.now() + sequence, [{ name: "m", value: 1 }])],
          };
        }
      }
      const sequences: number[] = [];
      for await (const { sequence, outcome } of createClient(MonitorService, transports[name]()).report(
        requests(),
      )) {
        expect(outcome).toMatchObject({ reportsStored: 1 });
        sequences.push(sequence);
      }
      expect(sequences.sort()).toEqual([1, 2, 3]);
    },
  );

  it("/metrics is a text exposition of the broker and its process", async () => {
    const response = await fetch(`${broker.httpUrl}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const text = await response.text();
    const names = new Set(parseMetrics(text).map(({ name }) => name));
    for (const name of [
      "mon_intake_reports_total",
      "mon_intake_ack_seconds",
      "mon_store_bytes",
      "process_cpu_seconds_total",
    ]) {
      expect(names).toContain(name);
    }
    const { intake } = await broker.admin.status({});
    expect(metricValue(text, "mon_intake_reports_total")).toBe(Number(intake!.reports));
    expect(metricValue(text, "mon_store_available")).toBe(1);
  });

  it("/api/v1/hosts pages through the hosts", async () => {
    const get = async (query: string) => {
      const response = await fetch(`${broker.httpUrl}/api/v1/hosts${query}`);
      return { status: response.status, body: await response.json() };
    };
    const first = await get("?prefix=q-&limit=2");
    expect(first).toMatchObject({
      status: 200,
      body: { hosts: [{ hostId: "q-0", series: 2 }, { hostId: "q-1" }], next: "q-1" },
    });
    expect(await get("?prefix=q-&limit=2&after=q-1")).toMatchObject({
      body: { hosts: [{ hostId: "q-2" }], next: null },
    });
    expect(await get("?limit=x")).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining("limit") },
    });
  });

  it("/healthz and /readyz answer", async () => {
    for (const [path, text] of [
      ["/healthz", "ok\n"],
      ["/readyz", "serving\n"],
    ] as const) {
      const response = await fetch(`${broker.httpUrl}${path}`);
      expect([response.status, await response.text()]).toEqual([200, text]);
    }
  });
});
