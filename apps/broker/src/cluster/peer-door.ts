import type { X509Certificate } from "node:crypto";
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { type ConnectRouter, type ContextKey, createContextKey } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { peerContext, serverOptions } from "@mon/raft-connect";
import { SessionGuard, sessionLimits } from "../doors/session-guard.ts";
import type { PeerTls } from "./peer-tls.ts";

/** Bytes that a peer may send ahead of the reader on one connection. */
const sessionWindowBytes = 4_194_304;
/** Each broker has a few connections here: its calls, its log, snapshots. */
const connectionsPerAddressMax = 4_096;

/** The certificate that a caller showed; undefined without TLS. */
export const certificateKey: ContextKey<X509Certificate | undefined> = createContextKey<
  X509Certificate | undefined
>(undefined, { description: "the certificate of the calling broker" });

/**
 * Door 7401, for brokers alone: in plain text, or with certificates on both sides. What it serves can be replaced while
 * it is open, as the log's node is when its disk has failed.
 */
export class PeerDoor {
  readonly #server: Http2Server;
  readonly #guard: SessionGuard;
  #handle: ReturnType<typeof connectNodeAdapter>;

  /** @param routes - what is served first */
  constructor(tls: PeerTls | undefined, routes: (router: ConnectRouter) => void) {
    this.#server =
      tls === undefined
        ? createServer(serverOptions)
        : createSecureServer({
            ...serverOptions,
            ...tls,
            requestCert: true,
            rejectUnauthorized: true,
            minVersion: "TLSv1.3",
            handshakeTimeout: 10_000,
            ALPNProtocols: ["h2"],
          });
    this.#handle = adapterOf(routes);
    this.#server.on("request", (request, response) => this.#handle(request, response));
    this.#server.on("session", (session) => session.setLocalWindowSize(sessionWindowBytes));
    // Errors end their stream; whoever reads it learns of them.
    this.#server.on("stream", (stream: ServerHttp2Stream) => stream.on("error", () => {}));
    this.#guard = new SessionGuard({ ...sessionLimits, connectionsPerAddressMax }, Math.random);
    this.#guard.guard(this.#server);
  }

  /** Serves something else from the next call on. */
  serve(routes: (router: ConnectRouter) => void): void {
    this.#handle = adapterOf(routes);
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
    // A TCP server's address is never a pipe's.
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#guard.destroyAll();
    await closed;
  }
}

function adapterOf(routes: (router: ConnectRouter) => void): ReturnType<typeof connectNodeAdapter> {
  return connectNodeAdapter({
    routes,
    contextValues: (request) => {
      // The server speaks HTTP/2 only.
      const call = request as Http2ServerRequest;
      const { session } = call.stream;
      const certificate =
        session === undefined || session.destroyed || session.encrypted !== true
          ? undefined
          : (session.socket as TLSSocket).getPeerX509Certificate();
      return peerContext(call).set(certificateKey, certificate);
    },
  });
}
