import { createSecureServer, createServer, type Http2Server, type ServerOptions } from "node:http2";
import type { AddressInfo } from "node:net";
import type { RpcHandler } from "./rpc-handler.ts";
import { SessionGuard, sessionLimits } from "./session-guard.ts";

/** Certificates of a door, PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Limits on the sockets of a door. */
export interface SocketLimits {
  readonly streamsPerConnectionMax: number;
  readonly connectionsPerAddressMax: number;
  readonly connectionsMax: number;
}

/** Bytes of one stream, and of one connection, that a sender may send ahead of the reader. */
const streamWindowBytes = 1_048_576;
const sessionWindowBytes = 8_388_608;

/** Door 7400: gRPC, gRPC-web and Connect over HTTP/2, in plain text or by TLS. */
export class GrpcDoor {
  readonly #rpc: RpcHandler;
  readonly #server: Http2Server;
  readonly #guard: SessionGuard;

  constructor(rpc: RpcHandler, limits: SocketLimits, tls: TlsFiles | undefined) {
    this.#rpc = rpc;
    const options: ServerOptions = {
      settings: {
        maxConcurrentStreams: limits.streamsPerConnectionMax,
        maxHeaderListSize: 16_384,
        initialWindowSize: streamWindowBytes,
        enablePush: false,
      },
      maxHeaderListPairs: 64,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 50,
      maxOutstandingPings: 10,
      maxSessionMemory: 10,
      unknownProtocolTimeout: 5_000,
    };
    this.#server =
      tls === undefined
        ? createServer(options)
        : createSecureServer({
            ...options,
            ...tls,
            minVersion: "TLSv1.3",
            handshakeTimeout: 10_000,
            ALPNProtocols: ["h2"],
          });
    this.#server.on("request", (request, response) => {
      if (rpc.serves(request.url.split("?", 1)[0]!)) {
        void rpc.handle(request, response);
        return;
      }
      response.writeHead(404);
      response.end();
    });
    this.#server.on("session", (session) => session.setLocalWindowSize(sessionWindowBytes));
    // Node types leave it out; a server of any kind has it.
    Object.assign(this.#server, { maxConnections: limits.connectionsMax });
    this.#guard = new SessionGuard(
      { ...sessionLimits, connectionsPerAddressMax: limits.connectionsPerAddressMax },
      Math.random,
    );
    this.#guard.guard(this.#server);
  }

  /** @returns the port. @throws what `listen` says: EADDRINUSE and its like */
  async listen(address: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, address, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    this.#rpc.start();
    // A TCP server's address is never a pipe's.
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more connections and asks those there are to go; resolves when they have. */
  async close(): Promise<void> {
    this.#rpc.stop();
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#guard.closeAll();
    await closed;
  }

  /** Ends every connection now. */
  destroy(): void {
    this.#guard.destroyAll();
  }
}
