import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";

/** A server on a port of loopback that the system picks; everything it has accepted ends with it. */
export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** Connections that are open. */
  readonly open: number;
  /** Connections that were ever accepted. */
  readonly accepted: number;
  /** Resolves when none is. */
  allClosed(): Promise<void>;
}

/** @param at - the port, 0 for any */
async function listening(server: net.Server, at = 0): Promise<TestServer> {
  const sockets = new Set<net.Socket>();
  const waiting: (() => void)[] = [];
  let accepted = 0;
  server.on("connection", (socket: net.Socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) for (const resolve of waiting.splice(0)) resolve();
    });
    socket.on("error", () => {});
  });
  server.listen(at, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    get open() {
      return sockets.size;
    },
    get accepted() {
      return accepted;
    },
    async allClosed() {
      if (sockets.size > 0) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** One that does with each connection what it is told, and reads on: whoever does not read, sees no end. */
export function rawServer(serve: (socket: net.Socket) => void, port = 0): Promise<TestServer> {
  return listening(
    net.createServer((socket) => {
      socket.resume();
      serve(socket);
    }),
    port,
  );
}

export function httpServer(answer: http.RequestListener): Promise<TestServer> {
  return listening(http.createServer(answer));
}

/** A gRPC server that answers each call by bytes, status and headers as it is told. */
export function grpcServer(answer: {
  readonly body?: Uint8Array;
  readonly trailers: Readonly<Record<string, string>>;
  readonly asked?: (path: string, body: Buffer) => void;
}): Promise<TestServer> {
  const server = http2.createServer();
  server.on("stream", async (stream, headers) => {
    stream.on("error", () => {});
    const parts: Buffer[] = [];
    for await (const part of stream) parts.push(part as Buffer);
    answer.asked?.(String(headers[":path"]), Buffer.concat(parts));
    const type = { ":status": 200, "content-type": "application/grpc" };
    if (answer.body === undefined) {
      stream.respond({ ...type, ...answer.trailers }, { endStream: true });
      return;
    }
    stream.respond(type, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers(answer.trailers));
    stream.end(answer.body);
  });
  return listening(server as unknown as net.Server);
}
