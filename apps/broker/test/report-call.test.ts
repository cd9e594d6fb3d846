import { once } from "node:events";
import { type ClientHttp2Stream, createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { ByteBudget, Intake, type Outcome } from "@mon/intake";
import { MonitorService, type ReportResponse, ReportResponseSchema } from "@mon/proto";
import { ReportBatchSchema } from "@mon/proto/wire";
import { MemoryStore } from "@mon/store";
import { afterEach, describe, expect, it, vi } from "vitest";
import { GrpcDoor } from "../src/doors/grpc-door.ts";
import { GrpcFrames } from "../src/doors/grpc-frames.ts";
import { MessageBuffers } from "../src/doors/message-buffers.ts";
import { MessageProgress } from "../src/doors/message-progress.ts";
import { ReportCall } from "../src/doors/report-call.ts";
import { RpcHandler } from "../src/doors/rpc-handler.ts";
import type { Logger } from "../src/logger.ts";
import { Telemetry } from "../src/observe/telemetry.ts";
import { Admission } from "../src/services/admission.ts";
import { Liveness } from "../src/services/liveness.ts";
import { MonitorHandlers } from "../src/services/monitor-service.ts";
import { systemClock } from "../src/system-clock.ts";
import { answerOf, envelope, RawConnection } from "./support/raw-call.ts";

const path = "/mon.v1.MonitorService/Report";
const contentType = "application/grpc+proto";

afterEach(() => vi.restoreAllMocks());

function requestOf(sequence: number, bytes: number): Buffer {
  return envelope(
    toBinary(ReportBatchSchema, create(ReportBatchSchema, { sequence, reports: [new Uint8Array(bytes)] })),
  );
}

/** A call over a socket of its own, whose intake answers when a test says so. */
class Harness implements AsyncDisposable {
  readonly connection: ByteBudget;
  readonly broker: ByteBudget;
  readonly draining = new AbortController();
  readonly buffers = new MessageBuffers();
  /** What was submitted and has no outcome yet, by order of arrival. */
  readonly open: ((outcome: Outcome) => void)[] = [];
  readonly answers: ReportResponse[] = [];
  readonly failures: Code[] = [];
  acked = 0;
  refused = 0;
  stream!: ClientHttp2Stream;
  /** Settles as {@link ReportCall.run} does. */
  run!: Promise<void>;
  /** How the call ended, as its caller sees it. */
  ended!: ReturnType<typeof answerOf>;
  readonly #server: Http2Server = createServer();
  #client!: RawConnection;

  private constructor(connectionBytes: number, brokerBytes: number) {
    this.connection = new ByteBudget(connectionBytes);
    this.broker = new ByteBudget(brokerBytes);
  }

  static async start({
    connectionBytes = 1e9,
    brokerBytes = 1e9,
    submit = undefined as (() => Promise<Outcome>) | undefined,
  } = {}): Promise<Harness> {
    const harness = new Harness(connectionBytes, brokerBytes);
    const server = harness.#server;
    const called = once(server, "request");
    server.on("request", (request, response) => {
      const call = new ReportCall(request, response, {
        intake: { submit: submit ?? (() => new Promise((resolve) => harness.open.push(resolve))) },
        admission: new Admission(harness.connection, harness.broker),
        acked: () => harness.acked++,
        refused: (reports) => {
          harness.refused += reports;
        },
        draining: harness.draining.signal,
        messageBytesMax: 1_000_000,
        buffers: harness.buffers,
        progress: new MessageProgress(() => 0),
        failed: ({ code }) => harness.failures.push(code),
      });
      harness.run = call.run();
      harness.run.catch(() => {});
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    harness.#client = await RawConnection.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    harness.stream = harness.#client.call(path, contentType);
    harness.ended = answerOf(harness.stream);
    harness.stream.once("end", () => harness.stream.end());
    const frames = new GrpcFrames(1_000_000, new MessageBuffers());
    harness.stream.on("data", (piece: Buffer) => {
      for (const message of frames.take(piece))
        harness.answers.push(fromBinary(ReportResponseSchema, message));
    });
    await called;
    return harness;
  }

  send(sequence: number, bytes = 10): void {
    this.stream.write(requestOf(sequence, bytes));
  }

  /** Resolves when everything that was sent has come, and everything that was answered has gone. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => this.#client.session.ping(resolve));
  }

  /** The numbers of the answers so far. */
  get sequences(): number[] {
    return this.answers.map(({ sequence }) => sequence);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
    this.#server.close();
  }
}

const stored: Outcome = {
  reportsStored: 1,
  samplesStored: 1,
  durability: "fsync",
  copies: 1,
  rejections: [],
  refusals: [],
  retryDelayMs: 0,
};

describe("a report call over plain gRPC", () => {
  it("answers each batch by its number, in the order in which outcomes come", async () => {
    await using call = await Harness.start();
    for (const sequence of [7, 8, 9]) call.send(sequence);
    await call.settle();
    const [seven, eight, nine] = call.open;
    nine!(stored);
    await call.settle();
    eight!({ ...stored, samplesStored: 5 });
    seven!(stored);
    await call.settle();
    expect(call.answers).toMatchObject([
      { sequence: 9 },
      { sequence: 8, outcome: { samplesStored: 5 } },
      { sequence: 7 },
    ]);
    call.stream.end();
    expect(await call.ended).toMatchObject({ code: 0 });
    expect(call.acked).toBe(3);
    await call.run;
  });

  it("uses the memory of a message again when all of it is stored, and never while some of it is in doubt", async () => {
    await using call = await Harness.start();
    const given = vi.spyOn(call.buffers, "give");
    const taken = vi.spyOn(call.buffers, "take");
    const large = 100_000;
    call.send(1, large);
    call.send(2, large);
    await call.settle();
    expect(call.open).toHaveLength(2);
    given.mockClear();
    call.open[0]!({ ...stored, refusals: [{ reportIndex: 0, message: "it took too long" }] });
    await call.settle();
    expect(given).not.toHaveBeenCalled();
    call.open[1]!(stored);
    await call.settle();
    expect(given).toHaveBeenCalledTimes(1);
    const [memory] = given.mock.calls[0]!;
    const lent = taken.mock.results.map(({ value }) => (value as Buffer).buffer);
    expect(lent).toContain(memory.buffer);
  });

  it("takes no more than 256 unanswered batches (R8), and goes on when some are answered", async () => {
    await using call = await Harness.start();
    for (let sequence = 1; sequence <= 400; sequence++) call.send(sequence);
    await call.settle();
    expect(call.open).toHaveLength(256);
    for (let i = 0; i < 3; i++) call.open[i]!(stored);
    await call.settle();
    expect(call.open).toHaveLength(259);
  });

  it("takes no more than 256 batches whose answers its caller does not read", async () => {
    await using call = await Harness.start();
    call.stream.pause();
    let answered = 0;
    const answerAll = (): void => {
      // An answer with many rejections, so that few fill the windows.
      const rejections = Array.from({ length: 100 }, (_, reportIndex) => ({
        reportIndex,
        hostId: "h".repeat(100),
        name: "",
        reason: "host_id_invalid" as const,
        field: `reports[${reportIndex}].host_id`,
        message: "expected a host id",
      }));
      while (answered < call.open.length) call.open[answered++]!({ ...stored, rejections });
    };
    for (let sequence = 1; sequence <= 400; sequence++) call.send(sequence);
    for (let before = -1; before < call.open.length; ) {
      before = call.open.length;
      await call.settle();
      answerAll();
      await call.settle();
    }
    expect(call.open.length).toBeLessThan(400);
    call.stream.resume();
    while (call.answers.length < 400) {
      await call.settle();
      answerAll();
    }
    expect(call.sequences.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 400 }, (_, i) => i + 1));
  });

  it.each([
    ["its connection", { connectionBytes: 1_000 }],
    ["the broker", { brokerBytes: 1_000 }],
  ])("takes nothing more while the bytes of %s are under way, and goes on after", async (_, budgets) => {
    await using call = await Harness.start(budgets);
    for (let sequence = 1; sequence <= 5; sequence++) call.send(sequence, 400);
    await call.settle();
    expect(call.open).toHaveLength(2);
    call.open[0]!(stored);
    await call.settle();
    expect([call.sequences, call.open.length]).toEqual([[1], 3]);
    for (let i = 1; i < 5; i++) {
      call.open[i]!(stored);
      await call.settle();
    }
    expect(call.sequences).toEqual([1, 2, 3, 4, 5]);
    expect([call.connection.used, call.broker.used]).toEqual([0, 0]);
  });

  it("refuses a batch, retryably, that found no room in its time, and reads on", async () => {
    const patience = new AbortController();
    const timeouts = vi.spyOn(AbortSignal, "timeout").mockReturnValue(patience.signal);
    await using call = await Harness.start({ connectionBytes: 1_000 });
    call.send(1, 900);
    call.send(2, 900);
    await call.settle();
    expect([call.open.length, call.answers]).toEqual([1, []]);
    expect(timeouts).toHaveBeenCalledWith(5_000);
    patience.abort(new DOMException("timed out", "TimeoutError"));
    await call.settle();
    expect(call.answers).toMatchObject([
      {
        sequence: 2,
        outcome: {
          reportsStored: 0,
          refusals: [{ reportIndex: 0, message: expect.stringContaining("too many bytes") }],
          retryDelayMs: 1_000,
        },
      },
    ]);
    expect([call.acked, call.refused]).toEqual([0, 1]);
    call.send(3, 50);
    await call.settle();
    expect([call.open.length, call.connection.used]).toEqual([2, 950]);
  });

  it("answers all it has read when the broker drains, and then ends with UNAVAILABLE", async () => {
    await using call = await Harness.start();
    call.send(1);
    call.send(2);
    await call.settle();
    call.draining.abort();
    call.send(3);
    await call.settle();
    expect([call.open.length, call.sequences]).toEqual([2, []]);
    for (const settle of call.open) settle(stored);
    expect(await call.ended).toMatchObject({ code: Code.Unavailable });
    expect([call.sequences, call.failures]).toEqual([[1, 2], [Code.Unavailable]]);
  });

  it("gives back all room when its caller goes away in the middle", async () => {
    await using call = await Harness.start({ connectionBytes: 1_000 });
    for (let sequence = 1; sequence <= 5; sequence++) call.send(sequence, 400);
    await call.settle();
    expect(call.connection.used).toBe(800);
    call.stream.close();
    await call.run;
    for (const settle of call.open) settle(stored);
    await call.settle();
    expect([call.connection.used, call.connection.waiting, call.broker.used]).toEqual([0, 0, 0]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new TypeError("secret");
      },
    ],
    ["rejects", () => Promise.reject(new TypeError("secret"))],
  ])("ends with INTERNAL, and gives back all room, when its intake %s", async (_, fail) => {
    let submitted = 0;
    const settles: ((outcome: Outcome) => void)[] = [];
    await using call = await Harness.start({
      submit: () => (++submitted === 1 ? new Promise((resolve) => settles.push(resolve)) : fail()),
    });
    for (const sequence of [1, 2, 3]) call.send(sequence);
    await call.settle();
    // What was read before is still answered.
    expect(call.sequences).toEqual([]);
    settles[0]!(stored);
    expect(await call.ended).toMatchObject({ code: Code.Internal, message: "internal error" });
    expect(call.sequences).toEqual([1]);
    await expect(call.run).rejects.toThrow("secret");
    expect([call.connection.used, call.broker.used, call.failures]).toEqual([0, 0, [Code.Internal]]);
  });
});

describe("a fault in the middle of a report call", () => {
  it.each([
    ["over plain gRPC", {}],
    ["through Connect", { "grpc-timeout": "60S" }],
  ])("%s is logged, told without detail, and counted once", async (_, headers) => {
    const store = new MemoryStore();
    await store.open();
    const intake = new Intake({ store, clock: systemClock });
    intake.submit = () => {
      throw new TypeError("secret");
    };
    const telemetry = new Telemetry(systemClock, intake.counters);
    const logged: unknown[] = [];
    const note = (...line: unknown[]): void => void logged.push(line);
    const logger: Logger = { debug: () => {}, info: note, warn: note, error: note, fatal: note };
    const budget = new ByteBudget(1_000_000);
    const monitor = new MonitorHandlers({
      identity: { brokerId: "b", version: "0.0.0" },
      intake,
      budget,
      store,
      liveness: new Liveness(),
      telemetry,
      clock: systemClock,
      draining: new AbortController().signal,
      heartbeatIntervalMs: 1_000,
      messageBytesMax: 1_000_000,
      samplesMax: 100,
    });
    const twinOfReport = { ...MonitorService.method.report, input: ReportBatchSchema };
    const rpc = new RpcHandler({
      routes: (router) => {
        router.rpc(twinOfReport, (batches, context) => monitor.reportBatches(batches, context));
      },
      twinRoutes: () => {},
      shortCut: (_path, request, response, connection, progress) =>
        request.headers["grpc-timeout"] === undefined
          ? monitor.reportCall(request, response, connection, progress)
          : undefined,
      messageBytesMax: 1_000_000,
      connectionBytesMax: 1_000_000,
      closed: new AbortController().signal,
      telemetry,
      logger,
    });
    const limits = { streamsPerConnectionMax: 64, connectionsPerAddressMax: 64, connectionsMax: 64 };
    const door = new GrpcDoor(rpc, limits, undefined);
    const port = await door.listen("127.0.0.1", 0);
    await using connection = await RawConnection.open(`http://127.0.0.1:${port}`);
    const answer = await connection.post(path, contentType, requestOf(1, 10), headers);
    expect(answer).toMatchObject({ code: Code.Internal, message: "internal error" });
    expect(logged).toEqual([
      [{ method: expect.any(String), err: expect.any(TypeError) }, expect.any(String)],
    ]);
    expect([...telemetry.callErrors]).toEqual([["internal", 1]]);
    expect([telemetry.streams, budget.used]).toEqual([0, 0]);
    door.destroy();
    await door.close();
    await store.close();
  });
});
