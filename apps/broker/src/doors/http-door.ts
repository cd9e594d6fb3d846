import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Logger } from "../logger.ts";
import { AddressLimit } from "./address-limit.ts";
import type { TlsFiles } from "./grpc-door.ts";
import type { Page } from "./page.ts";
import { isAllowedHost, isSameOrigin } from "./request-origin.ts";
import type { RpcHandler } from "./rpc-handler.ts";

/** Answers a plain request. */
export type Route = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** What door 7480 serves. */
export interface HttpDoorDeps {
  readonly rpc: RpcHandler;
  readonly page: Page;
  /** Plain requests, by path. */
  readonly routes: Readonly<Record<string, Route>>;
  /** Names of this machine that a `Host` header may carry, besides addresses and `localhost`. */
  readonly hostNames: readonly string[];
  readonly logger: Logger;
}

const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
};

/** Door 7480: the page, health, metrics, and the services as Connect over HTTP/1.1. */
export class HttpDoor {
  readonly #deps: HttpDoorDeps;
  readonly #server: Server;

  constructor(
    deps: HttpDoorDeps,
    limits: { readonly connectionsMax: number; readonly connectionsPerAddressMax: number },
    tls: TlsFiles | undefined,
  ) {
    this.#deps = deps;
    const options = {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      connectionsCheckingInterval: 5_000,
      keepAliveTimeout: 10_000,
      maxHeaderSize: 8_192,
    };
    const listener = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#handle(request, response);
    this.#server =
      tls === undefined
        ? createServer(options, listener)
        : createSecureServer(
            { ...options, ...tls, minVersion: "TLSv1.3", handshakeTimeout: 10_000 },
            listener,
          );
    this.#server.maxRequestsPerSocket = 1_000;
    this.#server.maxConnections = limits.connectionsMax;
    const addresses = new AddressLimit(limits.connectionsPerAddressMax);
    this.#server.on("connection", (socket) => void addresses.admit(socket));
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
    this.#deps.rpc.start();
    // A TCP server's address is never a pipe's.
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more connections; resolves when those there are have ended. */
  async close(): Promise<void> {
    this.#deps.rpc.stop();
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    await closed;
  }

  /** Ends every connection now. */
  destroy(): void {
    this.#server.closeAllConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value);
    try {
      await this.#route(request, response);
    } catch (error) {
      this.#deps.logger.error({ path: request.url, err: error }, "a request failed unexpectedly");
      if (response.headersSent) response.destroy();
      else refuse(response, 500, "internal error");
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { rpc, page, routes, hostNames } = this.#deps;
    if (!isAllowedHost(request.headers.host, hostNames)) {
      refuse(response, 421, "expected a Host that is an address or a name of this machine");
      return;
    }
    if (!isSameOrigin(request.headers.origin, request.headers.host)) {
      refuse(response, 403, "expected an Origin that is this server's");
      return;
    }
    const path = (request.url ?? "/").split("?", 1)[0]!;
    if (rpc.serves(path)) {
      await rpc.handle(request, response);
      return;
    }
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("allow", "GET, HEAD");
      refuse(response, 405, `expected GET or HEAD, got ${request.method}`);
      return;
    }
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (route !== undefined) await route(request, response);
    else if (!page.serve(path, request, response)) refuse(response, 404, "no such page");
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${message}\n`);
}
