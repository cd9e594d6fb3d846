import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { Deframer, frame } from "./grpc-framing.ts";
import {
  type Answer,
  type Call,
  decodeAnswers,
  decodeJson,
  encodeCall,
  encodeJson,
  encodeRequest,
} from "./wire.ts";

const MiB = 1024 * 1024;
const path = "/mon.tools.keyvalue.v1.KeyValue/";
const requestHeaders = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** A client of one member, on one connection with one stream. Calls of one turn of the event loop go together. */
export class KeyValueClient {
  readonly #session: ClientHttp2Session;
  readonly #stream: ClientHttp2Stream;
  readonly #pending = new Map<number, Pending>();
  readonly #onceClosed = Promise.withResolvers<void>();
  #queue: Uint8Array[] = [];
  #lastNumber = 0;
  #failure: Error | undefined;

  /** @param authority - http://host:port */
  constructor(authority: string) {
    this.#session = connect(authority, { settings: { initialWindowSize: 2 * MiB } });
    this.#session.once("connect", () => this.#session.setLocalWindowSize(4 * MiB));
    this.#session.on("error", (error) => this.#fail(error));
    this.#session.once("close", () => {
      this.#fail(new Error("expected an open connection, got its end"));
      this.#onceClosed.resolve();
    });
    this.#stream = this.#session.request(
      { ...requestHeaders, ":path": `${path}Exchange` },
      { endStream: false },
    );
    const deframer = new Deframer(4 * MiB);
    this.#stream.on("data", (chunk: Buffer) => {
      for (const message of deframer.push(chunk)) {
        for (const answer of decodeAnswers(message)) {
          this.#pending.get(answer.number)?.resolve(answer);
          this.#pending.delete(answer.number);
        }
      }
    });
    this.#stream.on("error", (error) => this.#fail(error));
    this.#stream.once("close", () => this.#fail(new Error("expected an open stream, got its end")));
  }

  /** Whether calls can be made. */
  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** Calls without an answer. */
  get openCalls(): number {
    return this.#pending.size;
  }

  /** @throws {Error} when the connection broke: what became of the call is not known */
  call(call: Call): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { promise, reject, resolve } = Promise.withResolvers<Answer>();
    const number = ++this.#lastNumber;
    this.#pending.set(number, { resolve, reject });
    if (this.#queue.length === 0) setImmediate(() => this.#flush());
    this.#queue.push(encodeRequest(number, call.kind, encodeCall(call)));
    return promise;
  }

  /** Ends the connection; calls that are open are rejected. */
  async close(): Promise<void> {
    this.#session.destroy();
    await this.#onceClosed.promise;
  }

  #flush(): void {
    const message = Buffer.concat(this.#queue);
    this.#queue = [];
    if (this.#failure === undefined) this.#stream.write(frame(message));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(this.#failure);
    this.#pending.clear();
    this.#session.destroy();
  }
}

/**
 * One unary call with JSON: Status, TransferLeadership, ChangeMembership or Snapshot.
 *
 * @throws {Error} with what the member said, or when it did not answer in time
 */
export async function operate(
  authority: string,
  method: string,
  argument: unknown,
  timeoutMs: number,
): Promise<unknown> {
  const session = connect(authority);
  const { promise, reject, resolve } = Promise.withResolvers<unknown>();
  const timer = setTimeout(() => reject(new Error(`expected an answer within ${timeoutMs} ms`)), timeoutMs);
  const trailersOf = (headers: Record<string, unknown>): void => {
    const status = headers["grpc-status"];
    if (status !== undefined && status !== "0") {
      reject(new Error(decodeURIComponent(String(headers["grpc-message"]))));
    }
  };
  try {
    session.on("error", reject);
    const stream = session.request({ ...requestHeaders, ":path": `${path}${method}` });
    const deframer = new Deframer(4 * MiB);
    stream.on("response", trailersOf);
    stream.on("trailers", trailersOf);
    stream.on("error", reject);
    stream.on("data", (chunk: Buffer) => {
      const [message] = deframer.push(chunk);
      if (message !== undefined) resolve(decodeJson(message));
    });
    stream.once("close", () => reject(new Error("expected an answer, got the end of the stream")));
    stream.end(frame(encodeJson(argument ?? {})));
    return await promise;
  } finally {
    clearTimeout(timer);
    session.destroy();
  }
}
