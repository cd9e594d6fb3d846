import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { gzipSync } from "node:zlib";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import {
  MonitorService,
  type Outcome,
  PushRequestSchema,
  Reason,
  ReasonSchema,
  type ReportSchema,
} from "@mon/proto";
import { HealthCheckResponse_ServingStatus as ServingStatus } from "@mon/proto/grpc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BrokerProcess, runBroker } from "./support/broker-process.ts";
import { metricValue } from "./support/metrics-text.ts";
import { envelope, RawConnection } from "./support/raw-call.ts";
import { queryRange, reportOf } from "./support/reports.ts";
import { TempDirectory } from "./support/temp-directory.ts";

const timeout = 60_000;
const hour = 3_600_000;

type ReportInit = MessageInitShape<typeof ReportSchema>;

let broker: BrokerProcess;
beforeAll(async () => {
  broker = await BrokerProcess.start();
}, timeout);
afterAll(() => broker[Symbol.asyncDispose]());

/** The ways by which a batch of reports comes in. */
const doors: Readonly<Record<string, (reports: ReportInit[]) => Promise<Outcome>>> = {
  "the gRPC stream": async (reports) => {
    async function* requests() {
      yield { sequence: 7, reports };
    }
    for await (const { sequence, outcome } of broker.monitor.report(requests())) {
      expect(sequence).toBe(7);
      return outcome!;
    }
    throw new Error("expected an outcome, the stream ended");
  },
  "a gRPC push": async (reports) => (await broker.monitor.push({ reports })).outcome!,
  "a JSON push at the HTTP door": async (reports) => {
    const transport = createConnectTransport({ baseUrl: broker.httpUrl, httpVersion: "1.1" });
    return (await createClient(MonitorService, transport).push({ reports })).outcome!;
  },
};

/** A report that is right but for what is overridden. */
function report(overrides: ReportInit): ReportInit {
  return {
    hostId: "bad-1",
    timestampMs: BigInt(Date.now()),
    samples: [{ name: "m", value: 1 }],
    ...overrides,
  };
}

const labels = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `l${i}`, value: "v" }));

const rejections: readonly [
  what: string,
  bad: () => ReportInit,
  reason: Reason,
  field: string,
  says: RegExp,
][] = [
  [
    "an empty host id",
    () => report({ hostId: "" }),
    Reason.HOST_ID_MISSING,
    "reports[1].host_id",
    /expected/,
  ],
  [
    "a host id of 129 characters",
    () => report({ hostId: "h".repeat(129) }),
    Reason.HOST_ID_INVALID,
    "reports[1].host_id",
    /129|128/,
  ],
  [
    "an ill-formed host id",
    () => report({ hostId: "-web/1" }),
    Reason.HOST_ID_INVALID,
    "reports[1].host_id",
    /-web\/1/,
  ],
  [
    "no timestamp",
    () => report({ timestampMs: 0n }),
    Reason.TIMESTAMP_MISSING,
    "reports[1].timestamp_ms",
    /timestamp_ms or time/,
  ],
  [
    "a timestamp before retention",
    () => report({ timestampMs: BigInt(Date.now() - 8 * 24 * hour) }),
    Reason.TIMESTAMP_TOO_OLD,
    "reports[1].timestamp_ms",
    /expected/,
  ],
  [
    "a timestamp 11 minutes ahead",
    () => report({ timestampMs: BigInt(Date.now() + 660_000) }),
    Reason.TIMESTAMP_TOO_NEW,
    "reports[1].timestamp_ms",
    /expected/,
  ],
  ["no samples", () => report({ samples: [] }), Reason.SAMPLES_MISSING, "reports[1].samples", /expected/],
  [
    "NaN",
    () => report({ samples: [{ name: "m", value: Number.NaN }] }),
    Reason.VALUE_NAN,
    "reports[1].samples[0].value",
    /NaN/,
  ],
  [
    "infinity",
    () => report({ samples: [{ name: "m", value: Number.POSITIVE_INFINITY }] }),
    Reason.VALUE_INFINITE,
    "reports[1].samples[0].value",
    /[Ii]nf/,
  ],
  [
    "minus infinity",
    () => report({ samples: [{ name: "m", value: Number.NEGATIVE_INFINITY }] }),
    Reason.VALUE_INFINITE,
    "reports[1].samples[0].value",
    /[Ii]nf/,
  ],
  [
    "33 labels",
    () => report({ samples: [{ name: "m", value: 1, labels: labels(33) }] }),
    Reason.TOO_MANY_LABELS,
    "reports[1].samples[0].labels",
    /32.*33/,
  ],
  [
    "a name of 1,025 bytes",
    () => report({ samples: [{ name: "m".repeat(1_025), value: 1 }] }),
    Reason.NAME_TOO_LONG,
    "reports[1].samples[0].name",
    /1,?024.*1,?025/,
  ],
  [
    "a name that is none",
    () => report({ samples: [{ name: "1 m", value: 1 }] }),
    Reason.NAME_INVALID,
    "reports[1].samples[0].name",
    /1 m/,
  ],
];

describe("what can never be stored", { timeout }, () => {
  for (const [door, send] of Object.entries(doors)) {
    it.each(rejections)(
      `%s: rejected by name at ${door}, and nothing else is`,
      async (_, bad, reason, field, says) => {
        const before = await countedRejections();
        const startMs = nextInstant();
        const good = [startMs, startMs + 1].map((timestampMs) =>
          reportOf("good-1", timestampMs, [{ name: "g", value: 1 }]),
        );
        const outcome = await send([good[0]!, bad(), good[1]!]);

        expect(outcome.rejections).toHaveLength(1);
        expect(outcome.rejections[0]).toMatchObject({ reportIndex: 1, reason, field });
        expect(outcome.rejections[0]!.message).toMatch(says);
        expect(outcome).toMatchObject({ reportsStored: 2, samplesStored: 2, refusals: [] });
        const { series } = await queryRange(broker.query, {
          startMs: BigInt(startMs),
          endMs: BigInt(startMs + 1),
          hosts: ["good-1", "bad-1"],
        });
        expect(series).toMatchObject([
          {
            hostId: "good-1",
            points: [
              [startMs, 1],
              [startMs + 1, 1],
            ],
          },
        ]);

        const counted = await countedRejections();
        expect(counted(reason)).toEqual(before(reason).map((count) => count + 1));
      },
    );

    it(`10,001 samples reject the whole batch at ${door}, of which nothing is stored`, async () => {
      const startMs = nextInstant();
      const samples = Array.from({ length: 10_000 }, (_, i) => ({ name: `m${i}`, value: 1 }));
      const outcome = await send([
        reportOf("good-2", startMs, [{ name: "g", value: 1 }]),
        reportOf("good-2", startMs + 1, samples),
      ]);
      expect(outcome).toMatchObject({ reportsStored: 0, samplesStored: 0, refusals: [] });
      expect(outcome.rejections).toMatchObject([{ reason: Reason.TOO_MANY_SAMPLES }]);
      expect(outcome.rejections[0]!.message).toMatch(/10,?000/);
      const range = { startMs: BigInt(startMs), endMs: BigInt(startMs + 1), hosts: ["good-2"] };
      expect((await queryRange(broker.query, range)).series).toEqual([]);
    });

    it(`three bad samples of a thousand: 997 are stored, three are named at ${door}`, async () => {
      const timestampMs = nextInstant();
      const samples: { name: string; value: number; labels?: { name: string; value: string }[] }[] =
        Array.from({ length: 1_000 }, (_, i) => ({ name: `m${i}`, value: i }));
      samples[10]!.value = Number.NaN;
      samples[500]!.labels = labels(33);
      samples[999]!.name = "no name";
      const outcome = await send([{ hostId: "thousand", timestampMs: BigInt(timestampMs), samples }]);
      expect(outcome).toMatchObject({ reportsStored: 1, samplesStored: 997 });
      expect(outcome.rejections).toMatchObject([
        { sampleIndex: 10, reason: Reason.VALUE_NAN, field: "reports[0].samples[10].value" },
        { sampleIndex: 500, reason: Reason.TOO_MANY_LABELS, field: "reports[0].samples[500].labels" },
        { sampleIndex: 999, reason: Reason.NAME_INVALID, field: "reports[0].samples[999].name" },
      ]);
      const at = BigInt(timestampMs);
      const { series } = await queryRange(broker.query, { hosts: ["thousand"], startMs: at, endMs: at });
      const names = series.map(({ name }) => name);
      expect(new Set(names)).toEqual(
        new Set(
          Array.from({ length: 999 }, (_, i) => `m${i}`).filter((name) => name !== "m10" && name !== "m500"),
        ),
      );
    });
  }

  it("a time with an offset in JSON is that instant", async () => {
    const timestampMs = nextInstant();
    const local = new Date(timestampMs + 5.5 * hour).toISOString().replace("Z", "+05:30");
    const response = await fetch(`${broker.httpUrl}/mon.v1.MonitorService/Push`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        reports: [{ hostId: "offset", time: local, samples: [{ name: "m", value: 4 }] }],
      }),
    });
    expect(await response.json()).toMatchObject({
      outcome: { reportsStored: 1, durability: "DURABILITY_FSYNC" },
    });
    const at = BigInt(timestampMs);
    expect(
      (await queryRange(broker.query, { hosts: ["offset"], startMs: at, endMs: at })).series,
    ).toMatchObject([{ points: [[timestampMs, 4]] }]);
  });

  it("JSON with a field that nobody knows is refused by its name", async () => {
    const response = await fetch(`${broker.httpUrl}/mon.v1.MonitorService/Push`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reports: [{ host: "typo", samples: [] }] }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: "invalid_argument",
      message: expect.stringContaining("host"),
    });
  });
});

/** Ways to call with a binary message; the body goes as it is, or in an envelope. */
const formats = [
  { title: "Report, gRPC", path: "/mon.v1.MonitorService/Report", type: "application/grpc+proto" },
  { title: "Report, Connect", path: "/mon.v1.MonitorService/Report", type: "application/connect+proto" },
  { title: "Push, gRPC", path: "/mon.v1.MonitorService/Push", type: "application/grpc+proto" },
  { title: "Push, gRPC-web", path: "/mon.v1.MonitorService/Push", type: "application/grpc-web+proto" },
  { title: "Push, Connect", path: "/mon.v1.MonitorService/Push", type: "application/proto" },
  { title: "QueryLatest, gRPC", path: "/mon.v1.QueryService/QueryLatest", type: "application/grpc+proto" },
] as const;

const encodingHeaders = {
  "application/grpc+proto": "grpc-encoding",
  "application/grpc-web+proto": "grpc-encoding",
  "application/connect+proto": "connect-content-encoding",
  "application/proto": "content-encoding",
} as const;

describe.each(formats)("bytes that are no message ($title)", { timeout }, ({ path, type }) => {
  const message = Buffer.from(
    toBinary(
      PushRequestSchema,
      create(PushRequestSchema, { reports: [reportOf("bytes", Date.now(), [{ name: "m", value: 1 }])] }),
    ),
  );
  const isEnveloped = type !== "application/proto";
  const framed = (bytes: Uint8Array, flags = 0) => (isEnveloped ? envelope(bytes, flags) : bytes);
  const gzip = { [encodingHeaders[type]]: "gzip" };
  const bodies: [what: string, body: () => Uint8Array, code: Code, headers?: Record<string, string>][] = [
    // A first byte with a wire type that there is none of, so that no draw is a message by chance.
    ["random bytes", () => framed(Buffer.concat([Buffer.of(0x0f), randomBytes(500)])), Code.InvalidArgument],
    ["a truncated message", () => framed(message.subarray(0, -3)), Code.InvalidArgument],
    ["a message over 4 MiB", () => framed(Buffer.alloc(4_194_305)), Code.ResourceExhausted],
    ["a gzip bomb", () => framed(bomb(), 1), Code.ResourceExhausted, gzip],
    ["gzip that is none", () => framed(Buffer.alloc(100, 7), 1), Code.InvalidArgument, gzip],
    [
      "gzip that is cut",
      () => framed(gzipSync(randomBytes(900)).subarray(0, 400), 1),
      Code.InvalidArgument,
      gzip,
    ],
  ];
  if (isEnveloped) {
    bodies.push(
      ["a declared 4 GiB", () => envelope(message, 0, 0xffff_ffff), Code.ResourceExhausted],
      ["an envelope that is cut", () => envelope(message, 0, message.length + 1), Code.InvalidArgument],
    );
  }

  it.each(bodies)("%s: a coded error, counted, and the broker goes on", async (_, body, code, headers) => {
    await using neighbour = await RawConnection.open(broker.grpcUrl);
    await using connection = await RawConnection.open(broker.grpcUrl);
    const name = code === Code.InvalidArgument ? "invalid_argument" : "resource_exhausted";
    const before = metricValue(await metricsText(), "mon_call_errors_total", { code: name });
    const answer = await connection.post(path, type, body(), headers);
    expect(answer).toMatchObject({ code, message: expect.stringMatching(/\S/) });
    expect(metricValue(await metricsText(), "mon_call_errors_total", { code: name })).toBe(before + 1);
    // The same connection, one beside it, and the broker as a whole are none the worse.
    for (const { session } of [connection, neighbour]) expect(session.destroyed).toBe(false);
    for (const alive of [connection, neighbour]) {
      const health = await alive.post(
        "/grpc.health.v1.Health/Check",
        "application/grpc+proto",
        envelope(Buffer.alloc(0)),
      );
      expect([health.code, [...health.body.subarray(5)]]).toEqual([0, [8, ServingStatus.SERVING]]);
    }
  });
});

it("what is too large uses nothing up: a connection may send it again and again", { timeout }, async () => {
  await using connection = await RawConnection.open(broker.grpcUrl);
  for (let i = 0; i < 4; i++) {
    for (const { path, type } of formats) {
      const body = Buffer.alloc(5_000_000);
      const answer = await connection.post(path, type, type === "application/proto" ? body : envelope(body));
      expect(answer).toMatchObject({ code: Code.ResourceExhausted });
    }
  }
});

it("twenty gzip bombs at once leave the broker's memory bounded", { timeout }, async () => {
  await using connection = await RawConnection.open(broker.grpcUrl);
  const before = broker.residentBytesMax;
  const answers = await Promise.all(
    Array.from({ length: 20 }, () =>
      connection.post("/mon.v1.MonitorService/Push", "application/grpc+proto", envelope(bomb(), 1), {
        "grpc-encoding": "gzip",
      }),
    ),
  );
  expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([Code.ResourceExhausted]));
  // One of them alone unpacks to 256 MiB.
  expect(broker.residentBytesMax - before).toBeLessThan(256 * 2 ** 20);
  expect(broker.residentBytesMax).toBeLessThan(500 * 2 ** 20);
});

describe("a broker that cannot start says why in one line and opens nothing", { timeout }, () => {
  const configurations: readonly [what: string, args: readonly string[], line: RegExp][] = [
    [
      "an unknown key",
      ["--set", "listen.adress=127.0.0.1"],
      /^mon-broker: listen\.adress: .*did you mean listen\.address/,
    ],
    [
      "a wrong type",
      ["--grpc-port", "abc"],
      /^mon-broker: listen\.grpcPort: expected an integer from 0 to 65535, got "abc" \(--grpc-port\)$/,
    ],
    [
      "a value out of range",
      ["--set", "store.retentionMs=1s"],
      /^mon-broker: store\.retentionMs: expected a duration from 1h to 3650d, got "1s"/,
    ],
    ["no loopback without TLS", ["--listen", "0.0.0.0"], /^mon-broker: listen\.address: .*insecure: true/],
    [
      "a certificate that is not there",
      ["--set", "tls.certFile=/none", "--set", "tls.keyFile=/none"],
      /^mon-broker: tls\.certFile: expected a file that can be read, got .*ENOENT/,
    ],
    [
      "a file that is not there",
      ["--config", "/none.yaml"],
      /^mon-broker: --config: expected a file that can be read, got .*ENOENT/,
    ],
  ];
  it.each(configurations)("%s: 78", async (_, args, line) => {
    await using directory = await TempDirectory.create();
    const dataDir = `${directory.path}/data`;
    const { code, stdout, stderr } = await runBroker([
      "--data-dir",
      dataDir,
      "--grpc-port",
      "0",
      "--http-port",
      "0",
      ...args,
    ]);
    expect([code, stdout]).toEqual([78, ""]);
    expect(stderr.trimEnd()).toMatch(line);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("an unknown flag: 78", async () => {
    const { code, stdout, stderr } = await runBroker(["--prot", "1"]);
    expect([code, stdout]).toEqual([78, ""]);
    expect(stderr).toMatch(/unknown option '--prot'/);
  });

  it("a wrong value in a file: 78, with its line", async () => {
    await using directory = await TempDirectory.create();
    const file = `${directory.path}/broker.yaml`;
    await writeFile(file, "listen:\n  grpcPort: 74000\n");
    const { code, stderr } = await runBroker(["--config", file]);
    expect(code).toBe(78);
    expect(stderr).toBe(
      `mon-broker: listen.grpcPort: expected an integer from 0 to 65535, got 74000 (${file}:2)\n`,
    );
  });

  it.each(["--grpc-port", "--http-port"])(
    "a port in use (%s): 69, and the data directory is let go",
    async (flag) => {
      await using directory = await TempDirectory.create();
      const occupied = createServer().listen(0, "127.0.0.1");
      await once(occupied, "listening");
      const { port } = occupied.address() as AddressInfo;
      const ports = flag === "--grpc-port" ? ["--http-port", "0"] : ["--grpc-port", "0"];
      const { code, stdout, stderr } = await runBroker([
        "--data-dir",
        directory.path,
        ...ports,
        flag,
        String(port),
      ]);
      occupied.close();
      expect([code, stdout]).toEqual([69, ""]);
      expect(stderr).toMatch(new RegExp(`^mon-broker: .*EADDRINUSE.*:${port}\n$`));
      await using _again = await BrokerProcess.start({ dataDir: directory.path });
    },
  );

  it("a locked data directory: 73, and its owner goes on", async () => {
    const { code, stdout, stderr } = await runBroker([
      "--data-dir",
      broker.dataDir,
      "--grpc-port",
      "0",
      "--http-port",
      "0",
    ]);
    expect([code, stdout]).toEqual([73, ""]);
    expect(stderr).toMatch(/^mon-broker: .*(lock|another process).*\n$/);
    expect(await broker.health.check({})).toMatchObject({ status: ServingStatus.SERVING });
  });

  it("a data directory below a file: 73", async () => {
    await using directory = await TempDirectory.create();
    await writeFile(`${directory.path}/file`, "");
    const { code, stderr } = await runBroker([
      "--data-dir",
      `${directory.path}/file/data`,
      "--grpc-port",
      "0",
      "--http-port",
      "0",
    ]);
    expect(code).toBe(73);
    expect(stderr).toMatch(/^mon-broker: expected a data directory that can be written, got .*ENOTDIR.*\n$/);
  });

  it.runIf(process.getuid?.() === 0)("a data directory on a read-only file system: 73", async () => {
    await using directory = await TempDirectory.create();
    const mounted = `${directory.path}/mounted`;
    await mkdir(mounted);
    execFileSync("/bin/mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", mounted]);
    try {
      for (const dataDir of [mounted, `${mounted}/data`]) {
        const { code, stdout, stderr } = await runBroker([
          "--data-dir",
          dataDir,
          "--grpc-port",
          "0",
          "--http-port",
          "0",
        ]);
        expect([code, stdout]).toEqual([73, ""]);
        expect(stderr).toMatch(/^mon-broker: .*(read-only|EROFS).*\n$/i);
      }
    } finally {
      execFileSync("/bin/umount", [mounted]);
    }
  });
});

/** About 250 KiB that unpack to 256 MiB of zeros; made once. */
let packed: Buffer | undefined;
function bomb(): Buffer {
  packed ??= gzipSync(Buffer.alloc(256 * 2 ** 20), { level: 9 });
  return packed;
}

/** Instants that no other test of this file uses. */
let instant = Date.now() - hour;
function nextInstant(): number {
  instant += 10;
  return instant;
}

async function metricsText(): Promise<string> {
  return (await fetch(`${broker.httpUrl}/metrics`)).text();
}

/** How often something was rejected for a reason so far: by `Status`, and by `/metrics`. */
async function countedRejections(): Promise<(reason: Reason) => number[]> {
  const { intake } = await broker.admin.status({});
  const text = await metricsText();
  return (reason) => [
    Number(intake!.rejections.find((rejection) => rejection.reason === reason)?.count ?? 0n),
    metricValue(text, "mon_intake_rejections_total", {
      reason: ReasonSchema.value[reason]!.name.slice("REASON_".length).toLowerCase(),
    }),
  ];
}
