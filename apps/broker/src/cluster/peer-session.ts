import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import type { GrpcTransportOptions } from "@connectrpc/connect-node";

/** A silent broker is noticed after both (R31), if not by its heartbeats. */
const pingIntervalMs = 20_000;
const pingTimeoutMs = 10_000;

type SessionManager = NonNullable<GrpcTransportOptions["sessionManager"]>;

/**
 * The one HTTP/2 connection to another broker, opened at the first request and again after it was lost. Connect's own
 * manager lets go of a connection's errors before the connection is gone, and one that comes then ends the process.
 */
export class PeerSession implements SessionManager {
  readonly authority: string;
  readonly #options: SecureClientSessionOptions;
  #session: ClientHttp2Session | undefined;

  /** @param authority - `http://host:port` or `https://host:port` */
  constructor(authority: string, options: SecureClientSessionOptions) {
    this.authority = authority;
    this.#options = options;
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Omit<ClientSessionRequestOptions, "signal">,
  ): Promise<ClientHttp2Stream> {
    const session = await this.#open();
    return session.request({ ...headers, ":method": method, ":path": path }, options);
  }

  /** Nothing to do: pings go out at their interval whatever is read. */
  notifyResponseByteRead(): void {}

  /** Ends the connection and what is open on it; the next request opens another. */
  close(): void {
    this.#session?.destroy();
    this.#session = undefined;
  }

  /** Resolves when the connection stands. @throws what connecting fails with */
  async #open(): Promise<ClientHttp2Session> {
    let session = this.#session;
    if (session === undefined || session.closed || session.destroyed) {
      session = connect(this.authority, this.#options);
      this.#session = session;
      watch(session);
    }
    if (!session.connecting) return session;
    const opening = session;
    return await new Promise((resolve, reject) => {
      opening.once("connect", () => resolve(opening));
      opening.once("error", reject);
      opening.once("close", () => reject(new Error(`the connection to ${this.authority} was closed`)));
    });
  }
}

function watch(session: ClientHttp2Session): void {
  const pings = setInterval(() => {
    const timer = setTimeout(() => session.destroy(), pingTimeoutMs).unref();
    if (session.destroyed || !session.ping(() => clearTimeout(timer))) clearTimeout(timer);
  }, pingIntervalMs).unref();
  // Requests have the error; the session is replaced by the next.
  session.on("error", () => {});
  session.once("close", () => clearInterval(pings));
}
