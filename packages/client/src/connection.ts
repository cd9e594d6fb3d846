import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { Clock, Timer } from "./clock.ts";
import { ClientError } from "./errors.ts";
import type { ResolvedOptions } from "./options.ts";

/** An outcome with the 1,000 longest rejections that a broker may list stays well below this. */
const responseBytesMax = 16 * 1024 * 1024;

/** What a connection needs of the client. */
export interface ConnectionDeps {
  readonly clock: Clock;
  /** Ends the attempt, or the connection. */
  readonly signal: AbortSignal;
  /** The broker asks to move elsewhere in good order (GOAWAY); what is open may end in peace. */
  readonly onGoAway: () => void;
}

/**
 * One HTTP/2 connection to one broker, from its first byte to its last; it is never reopened.
 *
 *     open ─▶ ready ─▶ (going away) ─▶ closed
 *
 * Connect brings a session manager of its own, but it hides GOAWAY, which a stream that lives for hours must see, and
 * has no limit on the time to connect.
 */
export class BrokerConnection {
  /** Calls over this connection, in the gRPC protocol. */
  readonly transport: Transport;
  /** The broker's address. */
  readonly authority: string;
  readonly #session: ClientHttp2Session;
  readonly #clock: Clock;
  readonly #options: ResolvedOptions;
  readonly #closed: Promise<void>;
  #pingTimer: Timer | undefined;

  private constructor(
    broker: string,
    session: ClientHttp2Session,
    options: ResolvedOptions,
    deps: ConnectionDeps,
  ) {
    this.authority = broker;
    this.#session = session;
    this.#clock = deps.clock;
    this.#options = options;
    this.transport = createGrpcTransport({
      baseUrl: broker,
      sessionManager: this,
      readMaxBytes: responseBytesMax,
      // Outcomes are a few bytes; there is nothing to gain by compression.
      acceptCompression: [],
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    const onAbort = (): void => this.#session.destroy();
    deps.signal.addEventListener("abort", onAbort);
    session.on("goaway", (code) => {
      if (code === http2.constants.NGHTTP2_NO_ERROR) deps.onGoAway();
    });
    // The streams on the connection get the error too, and their readers report it.
    session.on("error", () => {});
    session.once("close", () => {
      this.#pingTimer?.clear();
      deps.signal.removeEventListener("abort", onAbort);
      resolve();
    });
    this.#schedulePing();
  }

  /**
   * Connects, and waits until the other side has shown that it speaks HTTP/2.
   *
   * @throws {ClientError} CLIENT_CONNECT_FAILED, CLIENT_CONNECT_TIMEOUT; CLIENT_STOPPED when the signal fires
   */
  static async open(
    broker: string,
    options: ResolvedOptions,
    deps: ConnectionDeps,
  ): Promise<BrokerConnection> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const session = http2.connect(broker, { ...options.tls, settings: { enablePush: false } });
    const fail = (cause: unknown): void => {
      const text = cause instanceof Error ? cause.message : "the connection was closed";
      const options = cause === undefined ? { broker } : { broker, cause };
      reject(new ClientError("CLIENT_CONNECT_FAILED", `cannot connect to ${broker}: ${text}`, options));
    };
    const onClose = (): void => fail(undefined);
    const onAbort = (): void =>
      reject(new ClientError("CLIENT_STOPPED", "the client is stopped", { broker }));
    const timer = deps.clock.setTimeout(() => {
      const text = `expected ${broker} to speak HTTP/2 within ${options.connectTimeoutMs} ms`;
      reject(new ClientError("CLIENT_CONNECT_TIMEOUT", text, { broker }));
    }, options.connectTimeoutMs);
    session.once("remoteSettings", () => resolve());
    session.once("error", fail);
    session.once("close", onClose);
    deps.signal.addEventListener("abort", onAbort, { once: true });
    if (deps.signal.aborted) onAbort();
    try {
      await promise;
      return new BrokerConnection(broker, session, options, deps);
    } catch (error) {
      session.on("error", () => {}); // Destroying may emit again what was reported already.
      session.destroy();
      throw error;
    } finally {
      timer.clear();
      session.off("error", fail);
      session.off("close", onClose);
      deps.signal.removeEventListener("abort", onAbort);
    }
  }

  /** Opens a stream; called by Connect. */
  request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Omit<ClientSessionRequestOptions, "signal">,
  ): Promise<ClientHttp2Stream> {
    return new Promise((resolve) => {
      resolve(this.#session.request({ ...headers, ":method": method, ":path": path }, options));
    });
  }

  /** Called by Connect for each piece of a response. Pings go by the clock alone, so there is nothing to note. */
  notifyResponseByteRead(): void {}

  /** Ends the connection at once, with whatever is open on it. */
  async close(reason?: ClientError): Promise<void> {
    this.#session.destroy(reason);
    await this.#closed;
  }

  #schedulePing(): void {
    this.#pingTimer = this.#clock.setTimeout(() => this.#ping(), this.#options.pingIntervalMs);
  }

  #ping(): void {
    if (this.#session.closed || this.#session.destroyed) return;
    this.#pingTimer = this.#clock.setTimeout(() => {
      const text = `expected an answer to a ping within ${this.#options.pingTimeoutMs} ms`;
      this.#session.destroy(new ClientError("CLIENT_PING_TIMEOUT", text, { broker: this.authority }));
    }, this.#options.pingTimeoutMs);
    this.#session.ping((error) => {
      // A failed ping means that the connection is closing, and closing clears the timer.
      if (error !== null) return;
      this.#pingTimer?.clear();
      this.#schedulePing();
    });
  }
}
