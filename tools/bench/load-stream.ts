import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import { AckReader } from "./ack-reader.ts";
import { BatchFrame } from "./batch-frame.ts";
import type { ReportTemplate } from "./corpus.ts";
import type { AckForm, LoadJob } from "./job.ts";
import type { Lane, Lanes, Settled, Slot } from "./lane.ts";

interface StreamSlot extends Slot {
  readonly batch: BatchFrame;
}

const reportPath = "/mon.v1.MonitorService/Report";
/** `mon.v1.Durability.FSYNC`. */
const durabilityFsync = 4;
const closeTimeoutMs = 5_000;

/** One `Report` call in gRPC frames over HTTP/2, with its frames ready. */
class LoadStream implements Lane {
  readonly slots: readonly StreamSlot[];
  readonly #stream: ClientHttp2Stream;
  readonly #ack: AckForm;
  readonly #samplesPerReport: number;
  readonly #reader = new AckReader();
  readonly #settled: Settled;
  readonly #failed: (reason: Error) => void;
  /** Slots without an answer, oldest first; kept where answers have no number. */
  readonly #sent: StreamSlot[] = [];
  #isEnding = false;

  constructor(
    session: ClientHttp2Session,
    job: LoadJob,
    template: ReportTemplate,
    settled: Settled,
    failed: (reason: Error) => void,
  ) {
    this.slots = Array.from({ length: job.shape.window }, (_, index) => ({
      lane: this,
      batch: new BatchFrame(template, job.reports, index + 1),
      dueAtMs: 0,
    }));
    this.#ack = job.ack;
    this.#samplesPerReport = template.samples;
    this.#settled = settled;
    this.#failed = failed;
    this.#stream = session.request(
      {
        [constants.HTTP2_HEADER_METHOD]: "POST",
        [constants.HTTP2_HEADER_PATH]: reportPath,
        [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc+proto",
        [constants.HTTP2_HEADER_TE]: "trailers",
      },
      { endStream: false },
    );
    this.#listen();
  }

  #listen(): void {
    const fail = (reason: string): void => {
      if (!this.#isEnding) this.#failed(new Error(`the server ended a stream: ${reason}`));
    };
    this.#stream.on("response", (headers) => {
      if (headers[":status"] !== 200) fail(`status ${headers[":status"]}`);
    });
    this.#stream.on("trailers", (trailers) =>
      fail(`grpc-status ${trailers["grpc-status"]} ${trailers["grpc-message"] ?? ""}`),
    );
    this.#stream.on("error", (error) => fail(error.message));
    this.#stream.on("close", () => fail(`code ${this.#stream.rstCode}`));
    this.#stream.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  cork(): void {
    this.#stream.cork();
  }

  uncork(): void {
    this.#stream.uncork();
  }

  send(slot: StreamSlot): void {
    if (this.#ack === "empty") this.#sent.push(slot);
    this.#stream.write(slot.batch.bytes);
  }

  /** Ends the call; resolves when the server has, or after five seconds. */
  async end(): Promise<void> {
    if (this.#stream.closed) return;
    this.#isEnding = true;
    const closed = new Promise<void>((resolve) => this.#stream.once("close", () => resolve()));
    const timeout = setTimeout(() => this.#stream.close(constants.NGHTTP2_CANCEL), closeTimeoutMs);
    this.#stream.end();
    await closed;
    clearTimeout(timeout);
  }

  #take(chunk: Buffer): void {
    this.#reader.push(chunk);
    this.#stream.cork();
    try {
      while (this.#reader.next()) this.#settle();
    } catch (error) {
      this.#failed(error instanceof Error ? error : new Error(String(error)));
    }
    this.#stream.uncork();
  }

  #settle(): void {
    const { sequence } = this.#reader;
    const slot = this.#ack === "empty" ? this.#sent.shift() : this.slots[sequence - 1];
    if (slot === undefined) throw new Error(`expected an answer to a batch, got one to ${sequence}`);
    this.#settled(slot, this.#ack !== "outcome" || this.#isStored(slot.batch.reports));
  }

  #isStored(reports: number): boolean {
    const { reportsStored, samplesStored, durability, hasFaults } = this.#reader;
    return (
      !hasFaults &&
      reportsStored === reports &&
      samplesStored === reports * this.#samplesPerReport &&
      durability === durabilityFsync
    );
  }
}

/** The streams of a load, over all its connections. */
export class LoadStreams implements Lanes {
  readonly lanes: readonly LoadStream[];
  readonly failure: Promise<never>;
  readonly #sessions: readonly ClientHttp2Session[];

  constructor(job: LoadJob, template: ReportTemplate, settled: Settled) {
    const { promise, reject } = Promise.withResolvers<never>();
    // Whoever waits for the load hears of it; nobody may be waiting just now.
    promise.catch(() => {});
    this.failure = promise;
    this.#sessions = Array.from({ length: job.shape.connections }, () =>
      connect(`http://127.0.0.1:${job.port}`, { settings: { enablePush: false } }).on("error", reject),
    );
    this.lanes = this.#sessions.flatMap((session) =>
      Array.from(
        { length: job.shape.streams },
        () => new LoadStream(session, job, template, settled, reject),
      ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.lanes.map((stream) => stream.end()));
    for (const session of this.#sessions) session.destroy();
  }
}
