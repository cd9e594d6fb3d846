import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { RaftError } from "@mon/raft";
import { Deframer, frame } from "./grpc-framing.ts";
import type { WriteOutcome } from "./key-value-machine.ts";
import { FieldWriter } from "./protobuf.ts";
import type { Service } from "./service.ts";
import {
  type Answer,
  type CallKind,
  decodeCall,
  decodeJson,
  decodeRequests,
  encodeAnswer,
  encodeJson,
  encodeRequest,
} from "./wire.ts";
import type { Writer } from "./write-batcher.ts";

const MiB = 1024 * 1024;
const maxMessageBytes = 4 * MiB;
const pathPrefix = "/mon.tools.keyvalue.v1.KeyValue/";
const unaryCalls: Readonly<Record<string, CallKind>> = {
  Put: "put",
  Get: "get",
  CompareAndSet: "compareAndSet",
};
const operatorCalls: readonly string[] = ["Status", "TransferLeadership", "ChangeMembership", "Snapshot"];
/** gRPC's numbers. */
const status = { ok: "0", unknown: "2", invalid: "3", unimplemented: "12", unavailable: "14" } as const;

/**
 * Serves a {@link Service} by gRPC, on HTTP/2 streams without a layer between: what is above them here costs a few
 * microseconds a message.
 */
export function createDoor(service: Service): Http2Server {
  const settings = { enablePush: false, initialWindowSize: 2 * MiB, maxConcurrentStreams: 4096 };
  const server = createServer({ settings });
  server.on("session", (session: ServerHttp2Session) => {
    session.setLocalWindowSize(4 * MiB);
    session.on("error", () => session.destroy());
  });
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    // A caller that goes away mid-way is no news; its writes are decided without it.
    stream.on("error", () => {});
    const path = String(headers[constants.HTTP2_HEADER_PATH]);
    const method = path.startsWith(pathPrefix) ? path.slice(pathPrefix.length) : "";
    if (method === "Exchange") serveExchange(stream, service);
    else if (unaryCalls[method] !== undefined) serveCall(stream, service, unaryCalls[method]);
    else if (operatorCalls.includes(method)) serveOperator(stream, service, method);
    else refuse(stream, status.unimplemented, `expected a call of KeyValue, got ${path}`);
  });
  return server;
}

const responseHeaders = {
  [constants.HTTP2_HEADER_STATUS]: 200,
  [constants.HTTP2_HEADER_CONTENT_TYPE]: "application/grpc",
};

/** Answers with trailers alone. */
function refuse(stream: ServerHttp2Stream, code: string, message: string): void {
  if (stream.destroyed || stream.headersSent) return;
  const trailers = { "grpc-status": code, "grpc-message": encodeURIComponent(message) };
  stream.respond({ ...responseHeaders, ...trailers }, { endStream: true });
}

function reply(stream: ServerHttp2Stream, message: Uint8Array): void {
  if (stream.destroyed) return;
  stream.respond(responseHeaders, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": status.ok }));
  stream.end(frame(message));
}

/** Calls back with the one message of a unary call. */
function receive(stream: ServerHttp2Stream, then: (message: Buffer) => void): void {
  const deframer = new Deframer(maxMessageBytes);
  let asked = false;
  stream.on("data", (chunk: Buffer) => {
    try {
      const [message] = deframer.push(chunk);
      if (message === undefined || asked) return;
      asked = true;
      then(message);
    } catch (error) {
      refuse(stream, status.invalid, String(error));
    }
  });
  stream.once("end", () => {
    if (!asked) refuse(stream, status.invalid, "expected a message, got none");
  });
}

function serveCall(stream: ServerHttp2Stream, service: Service, kind: CallKind): void {
  const answer = (answered: Answer): void => {
    if (answered.error !== undefined) refuse(stream, status.unavailable, answered.error);
    else reply(stream, encodeAnswer(answered));
  };
  receive(stream, (message) => {
    if (kind === "get") {
      void service.get(decodeCall(kind, message).key, 0).then(answer);
      return;
    }
    const writer: Writer = {
      written: (number, outcome) => answer(answerOfWrite(number, outcome)),
      failed: (number, error) => answer(answerOfFailure(number, error)),
    };
    // Judged here: an entry that is no message would stop every member.
    decodeCall(kind, message);
    service.writes.add(writer, 0, encodeRequest(0, kind, message));
  });
}

function serveOperator(stream: ServerHttp2Stream, service: Service, method: string): void {
  receive(stream, (message) => {
    service.operate(method, decodeJson(message)).then(
      (result) => reply(stream, encodeJson(result ?? {})),
      (error: unknown) => refuse(stream, status.unknown, `${codeOf(error)}: ${String(error)}`),
    );
  });
}

/** A stream of calls. Answers of one turn of the event loop go together. */
function serveExchange(stream: ServerHttp2Stream, service: Service): void {
  stream.respond(responseHeaders, { waitForTrailers: true });
  stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": status.ok }));
  const answers = new AnswerStream(stream);
  const deframer = new Deframer(maxMessageBytes);
  const accept = (message: Buffer): void => {
    for (const { call, field, kind, number } of decodeRequests(message)) {
      const { key } = decodeCall(kind, call);
      if (kind === "get") {
        answers.begin();
        void service.get(key, number).then((answer) => answers.add(answer));
      } else {
        answers.begin();
        service.writes.add(answers, number, field);
      }
    }
  };
  stream.on("data", (chunk: Buffer) => {
    try {
      for (const message of deframer.push(chunk)) accept(message);
    } catch {
      stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
    }
  });
  stream.once("end", () => answers.finish());
}

/** Calls of one stream that may be open; beyond, its reading pauses until half of them are answered. */
const maxOpenCalls = 16_384;
/** Bytes of answers that may wait for a caller to take them; beyond, its reading pauses until they are gone. */
const maxUnreadBytes = MiB;

/** The answers of one stream. */
class AnswerStream implements Writer {
  readonly #stream: ServerHttp2Stream;
  #writer = new FieldWriter(1024);
  #open = 0;
  #ending = false;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    stream.on("drain", () => this.#throttle());
  }

  /** Notes that an answer will come. */
  begin(): void {
    this.#open++;
    if (this.#open === maxOpenCalls) this.#throttle();
  }

  /** Ends the stream when all is answered. */
  finish(): void {
    this.#ending = true;
    this.#endIfDone();
  }

  written(number: number, outcome: WriteOutcome): void {
    this.add(answerOfWrite(number, outcome));
  }

  failed(number: number, error: unknown): void {
    this.add(answerOfFailure(number, error));
  }

  add(answer: Answer): void {
    this.#open--;
    if (this.#open === maxOpenCalls / 2) this.#throttle();
    if (this.#writer.length === 0) queueMicrotask(() => this.#flush());
    this.#writer.bytes(1, encodeAnswer(answer));
  }

  #flush(): void {
    const message = this.#writer.finish();
    this.#writer = new FieldWriter(1024);
    if (!this.#stream.destroyed) this.#stream.write(frame(message));
    if (this.#stream.writableLength >= maxUnreadBytes) this.#throttle();
    this.#endIfDone();
  }

  /** Reads on when there is room for answers: a caller that does not take them gets no more. */
  #throttle(): void {
    const isFull = this.#open >= maxOpenCalls || this.#stream.writableLength >= maxUnreadBytes;
    if (isFull) this.#stream.pause();
    else this.#stream.resume();
  }

  #endIfDone(): void {
    if (this.#ending && this.#open === 0 && this.#writer.length === 0) this.#stream.end();
  }
}

function answerOfWrite(number: number, { refused, revision }: WriteOutcome): Answer {
  return { number, revision, value: undefined, refused, error: undefined };
}

function answerOfFailure(number: number, error: unknown): Answer {
  return { number, revision: 0, value: undefined, refused: false, error: codeOf(error) };
}

function codeOf(error: unknown): string {
  return RaftError.from(error).code;
}
