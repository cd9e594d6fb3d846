import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Outcome } from "@mon/intake";
import { decodeReportBatch, encodeReportResponse, type ReportBatch } from "../services/report-batch.ts";
import { type ReportStreamDeps, refusedOutcome, stopping, unansweredMax } from "../services/report-stream.ts";
import { GrpcFrames, grpcFrame } from "./grpc-frames.ts";
import type { MessageBuffers } from "./message-buffers.ts";
import type { MessageProgress } from "./message-progress.ts";

/** What a report call works with besides its request and response. */
export interface ReportCallDeps extends Omit<ReportStreamDeps, "signal"> {
  readonly messageBytesMax: number;
  /** Where memory for messages comes from, and goes when all of a message is stored. */
  readonly buffers: MessageBuffers;
  readonly progress: MessageProgress;
  /** Told of the error that ends the call. */
  readonly failed: (error: ConnectError) => void;
}

/** A batch, and the message whose bytes its reports are views of. */
interface Arrival {
  readonly message: Uint8Array;
  readonly batch: ReportBatch;
}

/** Whether a call is plain gRPC over HTTP/2: binary, uncompressed, without a deadline. The rest goes through Connect. */
export function isPlainGrpc({ headers, method }: Http2ServerRequest): boolean {
  const type = headers["content-type"];
  const encoding = headers["grpc-encoding"];
  return (
    method === "POST" &&
    (type === "application/grpc" || type === "application/grpc+proto") &&
    (encoding === undefined || encoding === "identity") &&
    headers["grpc-timeout"] === undefined
  );
}

/**
 * One `Report` call over plain gRPC, the way that agents come. It does what {@link answerReports} does behind Connect,
 * without a message object, a promise or a write of its own for each layer that a batch passes: that is most of what a
 * batch of one report costs. Answers that are ready together leave together.
 */
export class ReportCall {
  readonly #request: Http2ServerRequest;
  readonly #response: Http2ServerResponse;
  readonly #deps: ReportCallDeps;
  readonly #frames: GrpcFrames;
  readonly #over = new AbortController();
  /** Batches read whose outcome is not known yet. */
  #open = 0;
  /** Messages that have come while the call was not reading. */
  readonly #backlog: Uint8Array[] = [];
  #isAwaitingRoom = false;
  #answers: Uint8Array[] = [];
  #isSending = false;
  #isWritable = true;
  #hasEnded = false;
  #failure: ConnectError | undefined;
  #isDone = false;

  constructor(request: Http2ServerRequest, response: Http2ServerResponse, deps: ReportCallDeps) {
    this.#request = request;
    this.#response = response;
    this.#deps = deps;
    this.#frames = new GrpcFrames(deps.messageBytesMax, deps.buffers);
  }

  /** Settles when the call is over; rejects with what the caller got as an internal error. */
  run(): Promise<void> {
    const { draining } = this.#deps;
    const request = this.#request;
    const response = this.#response;
    response.writeHead(200, {
      "content-type": request.headers["content-type"],
      "grpc-accept-encoding": "gzip",
    });
    draining.addEventListener("abort", () => this.#finishWhenDone(), {
      once: true,
      signal: this.#over.signal,
    });
    request.on("data", (piece: Uint8Array) => this.#guarded(() => this.#read(piece)));
    request.once("end", () => this.#guarded(() => this.#end()));
    if (draining.aborted) this.#finishWhenDone();
    return new Promise((resolve, reject) => {
      response.once("close", () => {
        this.#isDone = true;
        this.#over.abort();
        if (this.#failure?.code === Code.Internal) reject(this.#failure.cause);
        else resolve();
      });
    });
  }

  #guarded(step: () => void): void {
    if (this.#isDone || this.#failure !== undefined) return;
    try {
      step();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the call once what was read before is answered. */
  #fail(error: unknown): void {
    if (this.#isDone || this.#failure !== undefined) return;
    // What is no answer of ours is nothing that a caller should read.
    this.#failure =
      error instanceof ConnectError
        ? error
        : new ConnectError("internal error", Code.Internal, undefined, undefined, error);
    this.#finishWhenDone();
  }

  #read(piece: Uint8Array): void {
    const { progress } = this.#deps;
    progress.pieceArrived(piece.length);
    for (const message of this.#frames.take(piece)) {
      progress.messageArrived();
      this.#backlog.push(message);
    }
    if (!this.#frames.isInMessage) progress.messageArrived();
    this.#work();
  }

  #end(): void {
    this.#hasEnded = true;
    if (this.#frames.isInMessage)
      throw new ConnectError("expected a whole message, got part of one", Code.InvalidArgument);
    this.#finishWhenDone();
  }

  /** Takes what has come, while there is room. */
  #work(): void {
    while (this.#backlog.length > 0 && this.#failure === undefined && this.#hasRoom()) {
      // Read too late: it gets no outcome, so the call must not end as if it had.
      if (this.#deps.draining.aborted) throw stopping();
      const message = this.#backlog.shift()!;
      this.#take({ message, batch: decodeReportBatch(message) });
    }
    if (this.#backlog.length > 0) this.#request.pause();
    else if (this.#request.isPaused()) this.#request.resume();
  }

  #hasRoom(): boolean {
    // A caller who does not read its answers is not read either.
    return !this.#isAwaitingRoom && this.#isWritable && this.#open + this.#answers.length < unansweredMax;
  }

  #take(arrival: Arrival): void {
    const arrivedAt = performance.now();
    let bytes = 0;
    for (const report of arrival.batch.reports) bytes += report.length;
    this.#open++;
    if (this.#deps.admission.tryEnter(bytes)) this.#submit(arrival, bytes, arrivedAt);
    else void this.#awaitRoom(arrival, bytes, arrivedAt);
  }

  async #awaitRoom(arrival: Arrival, bytes: number, arrivedAt: number): Promise<void> {
    const { batch } = arrival;
    const { admission, refused } = this.#deps;
    this.#isAwaitingRoom = true;
    const refusal = await admission.enter(bytes, this.#over.signal);
    this.#isAwaitingRoom = false;
    if (refusal === undefined) {
      this.#submit(arrival, bytes, arrivedAt);
    } else {
      refused(batch.reports.length);
      this.#answer(batch.sequence, refusedOutcome(batch.reports.length, refusal));
    }
    this.#guarded(() => this.#work());
  }

  #submit({ message, batch: { sequence, reports } }: Arrival, bytes: number, arrivedAt: number): void {
    const { intake, admission, acked, buffers } = this.#deps;
    const failed = (error: unknown): void => {
      admission.leave(bytes);
      this.#open--;
      this.#fail(error);
    };
    try {
      void intake.submit(reports).then((outcome) => {
        admission.leave(bytes);
        acked(performance.now() - arrivedAt);
        // The store may still be at work on what was refused because it took too long.
        if (outcome.refusals.length === 0) buffers.give(message);
        this.#answer(sequence, outcome);
      }, failed);
    } catch (error) {
      failed(error);
    }
  }

  #answer(sequence: number, outcome: Outcome): void {
    this.#open--;
    if (this.#isDone) return;
    this.#answers.push(grpcFrame(encodeReportResponse(sequence, outcome)));
    if (this.#isSending || !this.#isWritable) return;
    this.#isSending = true;
    setImmediate(() => this.#send());
  }

  #send(): void {
    this.#isSending = false;
    if (this.#isDone) return;
    if (this.#answers.length > 0) {
      const answers = this.#answers.length === 1 ? this.#answers[0]! : Buffer.concat(this.#answers);
      this.#answers = [];
      this.#isWritable = this.#response.write(answers);
      if (!this.#isWritable) this.#response.once("drain", () => this.#drained());
    }
    this.#guarded(() => this.#work());
    this.#finishWhenDone();
  }

  #drained(): void {
    this.#isWritable = true;
    this.#send();
  }

  /** Ends the call once all that was read is answered, when there is a reason to. */
  #finishWhenDone(): void {
    if (this.#isDone || this.#open > 0 || this.#answers.length > 0) return;
    if (this.#failure !== undefined) this.#finish(this.#failure);
    else if (this.#backlog.length > 0) return;
    else if (this.#hasEnded) this.#finish(undefined);
    else if (this.#deps.draining.aborted) this.#finish(stopping());
  }

  #finish(error: ConnectError | undefined): void {
    this.#isDone = true;
    if (error !== undefined) this.#deps.failed(error);
    this.#response.addTrailers({
      "grpc-status": String(error?.code ?? 0),
      ...(error !== undefined && { "grpc-message": encodeURIComponent(error.rawMessage) }),
    });
    this.#response.end();
  }
}
