import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { Code } from "@connectrpc/connect";

/** How a raw call ended. */
export interface RawAnswer {
  /** HTTP status; 0 when no headers came. */
  readonly status: number;
  /** By gRPC trailer, or by Connect's JSON; undefined when the call was cut without either. */
  readonly code: Code | undefined;
  readonly message: string;
  readonly body: Buffer;
}

/** An HTTP/2 connection that sends whatever bytes a test likes. */
export class RawConnection implements AsyncDisposable {
  readonly session: ClientHttp2Session;

  private constructor(session: ClientHttp2Session) {
    this.session = session;
  }

  static async open(url: string): Promise<RawConnection> {
    const session = connect(url);
    // What ends a connection shows in the calls on it.
    session.on("error", () => {});
    await once(session, "connect");
    return new RawConnection(session);
  }

  /** Opens a call; the caller writes and ends it. */
  call(path: string, contentType: string, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    return this.session.request({
      ":method": "POST",
      ":path": path,
      "content-type": contentType,
      ...(contentType.startsWith("application/grpc") && { te: "trailers" }),
      ...headers,
    });
  }

  /** Makes a call of one body. */
  post(
    path: string,
    contentType: string,
    body: Uint8Array,
    headers?: OutgoingHttpHeaders,
  ): Promise<RawAnswer> {
    const stream = this.call(path, contentType, headers);
    stream.end(body);
    return answerOf(stream);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
  }
}

/** Reads a call's answer to its end. */
export async function answerOf(stream: ClientHttp2Stream): Promise<RawAnswer> {
  let headers: Readonly<Record<string, unknown>> = {};
  let trailers: Readonly<Record<string, unknown>> = {};
  const pieces: Buffer[] = [];
  stream.on("response", (received) => {
    headers = received;
  });
  stream.on("trailers", (received) => {
    trailers = received;
  });
  stream.on("data", (piece: Buffer) => pieces.push(piece));
  // A call that is cut has no code; that is the answer.
  stream.on("error", () => {});
  await new Promise((resolve) => stream.once("close", resolve));
  const body = Buffer.concat(pieces);
  return { status: Number(headers[":status"] ?? 0), ...errorIn({ ...headers, ...trailers }, body), body };
}

/** Finds a call's code and message where its protocol has them. */
function errorIn(
  headers: Readonly<Record<string, unknown>>,
  body: Buffer,
): Pick<RawAnswer, "code" | "message"> {
  const type = String(headers["content-type"]);
  if (headers["grpc-status"] !== undefined) {
    return {
      code: Number(headers["grpc-status"]),
      message: decodeURIComponent(String(headers["grpc-message"] ?? "")),
    };
  }
  if (type === "application/json") return connectError(JSON.parse(body.toString()));
  for (const { flags, message } of envelopes(body)) {
    if (type.startsWith("application/connect") && flags === 2)
      return connectError(JSON.parse(message).error ?? {});
    if (type.startsWith("application/grpc-web") && flags === 0x80) {
      const trailers = Object.fromEntries(
        message.split("\r\n").map((line) => line.toLowerCase().split(": ")),
      );
      return errorIn(trailers, body);
    }
  }
  return { code: undefined, message: "" };
}

function connectError({ code, message }: { code?: string; message?: string }) {
  const name = code?.replace(/(^|_)([a-z])/g, (_, _start, letter: string) => letter.toUpperCase());
  return { code: Code[name as keyof typeof Code], message: message ?? "" };
}

function* envelopes(body: Buffer): Generator<{ flags: number; message: string }> {
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    yield { flags: body[at]!, message: body.toString("utf8", at + 5, end) };
    at = end;
  }
}

/** A gRPC or Connect envelope. */
export function envelope(message: Uint8Array, flags = 0, declaredBytes = message.length): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(declaredBytes, 1);
  return Buffer.concat([head, message]);
}
