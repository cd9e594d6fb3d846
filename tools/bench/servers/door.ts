import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import process from "node:process";

/** The windows of the broker's gRPC door, so that no server is slower for having smaller ones. */
const streamWindowBytes = 1_048_576;
const sessionWindowBytes = 8_388_608;

/** An HTTP/2 server without TLS. */
export function createDoor(): Http2Server {
  const server = createServer({ settings: { initialWindowSize: streamWindowBytes, enablePush: false } });
  server.on("session", (session) => session.setLocalWindowSize(sessionWindowBytes));
  return server;
}

/** Listens on a free port and tells the parent which. */
export function open(server: Http2Server): void {
  server.listen(0, "127.0.0.1", () => {
    // A TCP server's address is never a pipe's.
    tellPort((server.address() as AddressInfo).port);
  });
}

export function tellPort(port: number): void {
  process.send?.({ port });
}
