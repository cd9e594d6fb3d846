import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { openStreamDoor, openUnaryDoor } from "../raft-bench/doors.ts";
import { Http2Link, requestHead } from "../raft-bench/http2-link.ts";
import { putRequest, runLoad, valueBytes } from "../raft-bench/load.ts";
import { Deframer, frame } from "../raft-service/grpc-framing.ts";
import { FieldWriter } from "../raft-service/protobuf.ts";
import { decodeRequests, encodeAnswer } from "../raft-service/wire.ts";

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** A server by node:http2, which checks what the benchmark's own client sends. @returns its port */
async function serve(onStream: (stream: ServerHttp2Stream, path: string) => void): Promise<number> {
  const server = createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    onStream(stream, String(headers[":path"]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanUps.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** Answers like a gRPC server: with a message and trailers, or with trailers alone. */
function answerUnary(stream: ServerHttp2Stream, isRefused: boolean): void {
  const head = { ":status": 200, "content-type": "application/grpc" };
  stream.resume().once("end", () => {
    if (isRefused) {
      stream.respond({ ...head, "grpc-status": "14" }, { endStream: true });
      return;
    }
    stream.respond(head, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(frame(Buffer.from("answer")));
  });
}

function putOnce(door: { put(put: Uint8Array, done: (ok: boolean) => void): void }): Promise<boolean> {
  return new Promise((resolve) => door.put(putRequest("key"), resolve));
}

describe("the client of npm run bench:raft", () => {
  it("takes a message and trailers for an acknowledgement, and trailers alone for none", async () => {
    const port = await serve((stream, path) => answerUnary(stream, path === "/refused"));
    const good = await openUnaryDoor(port, "/good", 1);
    const bad = await openUnaryDoor(port, "/refused", 1);
    cleanUps.push(good.close, bad.close);
    expect(await putOnce(good)).toBe(true);
    expect(await putOnce(bad)).toBe(false);
    expect(await putOnce(good)).toBe(true);
  });

  it("sends what gRPC wants", async () => {
    const seen = Promise.withResolvers<unknown>();
    const server = createServer();
    server.on("stream", (stream, headers) => {
      answerUnary(stream, false);
      seen.resolve(headers);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanUps.push(() => server.close());
    const door = await openUnaryDoor((server.address() as AddressInfo).port, "/service/Call", 1);
    cleanUps.push(door.close);
    await putOnce(door);
    expect(await seen.promise).toMatchObject({
      ":method": "POST",
      ":path": "/service/Call",
      ":scheme": "http",
      "content-type": "application/grpc",
      te: "trailers",
    });
  });

  it("keeps to the windows of the server, and goes on when they are widened", async () => {
    const bytes = 1_000_000;
    const received = Promise.withResolvers<number>();
    const port = await serve((stream) => {
      stream.respond({ ":status": 200 });
      const deframer = new Deframer(2 * bytes);
      stream.on("data", (chunk: Buffer) => {
        for (const message of deframer.push(chunk)) received.resolve(message.length);
      });
    });
    const link = await Http2Link.open(port);
    cleanUps.push(() => link.close());
    const id = link.open(requestHead("/sink"), { data: () => {}, end: () => {} });
    link.send(id, Buffer.alloc(bytes), false);
    expect(await received.promise).toBe(bytes);
  });

  it("puts all calls of a turn into one message of a stream, and tells them apart by number", async () => {
    const counts: number[] = [];
    const port = await serve((stream) => {
      stream.respond({ ":status": 200 });
      const deframer = new Deframer(1 << 20);
      stream.on("data", (chunk: Buffer) => {
        for (const message of deframer.push(chunk)) {
          const requests = decodeRequests(message);
          counts.push(requests.length);
          const writer = new FieldWriter();
          for (const { number } of requests.reverse()) {
            const error = number % 2 === 0 ? "RAFT_OVERLOADED" : undefined;
            const rest = { revision: 0, value: undefined, refused: false };
            writer.bytes(1, encodeAnswer({ number, error, ...rest }));
          }
          stream.write(frame(writer.finish()));
        }
      });
    });
    const door = await openStreamDoor(port);
    cleanUps.push(door.close);
    expect(await Promise.all([putOnce(door), putOnce(door), putOnce(door)])).toEqual([true, false, true]);
    expect(counts).toEqual([3]);
  });

  it("counts what a server that goes away has not answered as failed", async () => {
    const port = await serve((stream) => stream.session?.destroy());
    const unary = await openUnaryDoor(port, "/gone", 1);
    const stream = await openStreamDoor(port);
    cleanUps.push(unary.close, stream.close);
    expect(await putOnce(unary)).toBe(false);
    expect(await putOnce(stream)).toBe(false);
  });

  it("counts acknowledged puts and failed ones apart", async () => {
    let calls = 0;
    const door = {
      put: (put: Uint8Array, done: (ok: boolean) => void): void => {
        expect(put.length).toBeGreaterThan(valueBytes);
        const ok = ++calls % 10 !== 0;
        setImmediate(() => done(ok));
      },
      close: () => {},
    };
    const { failed, puts, p50Ms, p99Ms, seconds } = await runLoad(door, 4, 0.1);
    expect(puts + failed).toBe(calls);
    expect(failed).toBe(Math.floor(calls / 10));
    expect(p50Ms).toBeLessThanOrEqual(p99Ms);
    expect(seconds).toBeGreaterThanOrEqual(0.1);
  });
});
