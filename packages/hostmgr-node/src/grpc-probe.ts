import http2 from "node:http2";
import type { GrpcReading } from "@mon/hostmgr";
import { HostIoError } from "./errors.ts";

/** Whom to ask. */
export interface GrpcTarget {
  /** As it was asked for: the authority, and the name that a certificate must have. */
  readonly host: string;
  readonly port: number;
  /** Of which service, empty for the server as a whole. */
  readonly service: string;
  readonly isTls: boolean;
}

/** A message of the health protocol has two bytes. */
const messageBytesMax = 4_096;

/**
 * Calls `grpc.health.v1.Health/Check` at an address, over a connection of its own.
 *
 * @throws {HostIoError} HOST_IO_NO_ANSWER, HOST_IO_BAD_ANSWER; or the signal's reason
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export function grpcHealthOnce(
  target: GrpcTarget,
  address: string,
  signal: AbortSignal,
): Promise<GrpcReading> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const { host, port, service, isTls } = target;
    const name = host.replace(/^\[|\]$/g, "");
    const authority = `${address.includes(":") ? `[${address}]` : address}:${port}`;
    const session = http2.connect(`${isTls ? "https" : "http"}://${authority}`, {
      settings: { enablePush: false },
      maxSessionMemory: 1,
      ...(isTls && name !== address ? { servername: name } : {}),
    });
    const end = (): void => {
      signal.removeEventListener("abort", abort);
      session.destroy();
    };
    const fail = (error: unknown): void => {
      end();
      reject(error);
    };
    const abort = (): void => fail(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    // What is not HTTP/2 ends the session with a protocol error.
    session.on("error", (error: NodeJS.ErrnoException) => {
      const isBad = error.code?.startsWith("ERR_HTTP2") === true;
      fail(HostIoError.from(error, isBad ? "HOST_IO_BAD_ANSWER" : "HOST_IO_NO_ANSWER"));
    });
    session.on("close", () => fail(new HostIoError("HOST_IO_NO_ANSWER", "the connection was closed")));

    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      ":authority": `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`,
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "mon",
    });
    let headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
    let trailers: http2.IncomingHttpHeaders = {};
    const parts: Buffer[] = [];
    let bytes = 0;
    stream.on("response", (received) => {
      headers = received;
    });
    stream.on("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (chunk: Buffer) => {
      parts.push(chunk);
      bytes += chunk.length;
      if (bytes > messageBytesMax)
        fail(
          new HostIoError("HOST_IO_BAD_ANSWER", `expected at most ${messageBytesMax} bytes, got ${bytes}`),
        );
    });
    stream.on("error", (error) => fail(HostIoError.from(error)));
    stream.on("end", () => {
      try {
        const reading = readingOf(headers, trailers, Buffer.concat(parts));
        end();
        resolve(reading);
      } catch (error) {
        fail(error);
      }
    });
    stream.end(requestOf(service));
  });
}

/** HealthCheckRequest { string service = 1 }, in gRPC's frame. */
function requestOf(service: string): Buffer {
  const text = Buffer.from(service);
  const message =
    service === "" ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0x0a, ...varint(text.length)), text]);
  const frame = Buffer.alloc(5);
  frame.writeUInt32BE(message.length, 1);
  return Buffer.concat([frame, message]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function readingOf(
  headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
  trailers: http2.IncomingHttpHeaders,
  body: Buffer,
): GrpcReading {
  const status = headers[":status"];
  const type = headers["content-type"] ?? "";
  if (status !== 200 || !type.startsWith("application/grpc"))
    throw new HostIoError(
      "HOST_IO_BAD_ANSWER",
      `expected gRPC, got HTTP status ${status} and ${type || "no type"}`,
    );
  // An answer without a message has its status in the headers.
  const text = trailers["grpc-status"] ?? headers["grpc-status"];
  const code = typeof text === "string" && /^\d{1,3}$/.test(text) ? Number(text) : undefined;
  if (code === undefined) throw new HostIoError("HOST_IO_BAD_ANSWER", "expected grpc-status, got none");
  const said = trailers["grpc-message"] ?? headers["grpc-message"];
  const message = typeof said === "string" ? said.slice(0, 200) : "";
  return { code, message, serving: code === 0 ? servingOf(body) : undefined };
}

/** HealthCheckResponse { ServingStatus status = 1 }, from gRPC's frame; 0 when the field is left out, as protobuf does. */
function servingOf(body: Buffer): number {
  const isWhole = body.length >= 5 && body[0] === 0 && body.readUInt32BE(1) === body.length - 5;
  const message = body.subarray(5);
  if (isWhole && message.length === 0) return 0;
  if (isWhole && message[0] === 0x08 && message.length === 2 && message[1]! < 0x80) return message[1]!;
  throw new HostIoError("HOST_IO_BAD_ANSWER", "expected a HealthCheckResponse, got other bytes");
}
