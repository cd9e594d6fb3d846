import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import type { Socket } from "node:net";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Clock, type NodeId, RaftError } from "@mon/raft";
import type { ConnectTransportOptions } from "./options.ts";
import { assertCertificate, certificateOf, type PeerVerifier } from "./peer-certificate.ts";
import { keepPinging } from "./ping.ts";

/** Answers are an identity or nothing at all. */
const answerBytesMax = 65_536;

/** What a connection needs. */
export interface PeerConnectionDeps {
  readonly peer: NodeId;
  /** Where the peer is: `http://host:port` or `https://host:port`. */
  readonly url: string;
  readonly options: Required<ConnectTransportOptions>;
  readonly tls: SecureClientSessionOptions | undefined;
  readonly verifyPeer: PeerVerifier | undefined;
  readonly clock: Clock;
  /** Ends the attempt, or the connection. */
  readonly signal: AbortSignal;
}

/**
 * One HTTP/2 connection to one peer, from its first byte to its last; it is never reopened.
 *
 * Connect brings a session manager of its own, but it hides GOAWAY, which a stream that lives for an hour must see, keeps
 * sessions for others to use, and takes its time from the machine.
 */
export class PeerConnection {
  /** Calls over this connection. */
  readonly transport: Transport;
  /** The peer's address; asked by Connect. */
  readonly authority: string;
  readonly #session: ClientHttp2Session;
  readonly #destroy: () => Promise<void>;

  private constructor(session: ClientHttp2Session, destroy: () => Promise<void>, deps: PeerConnectionDeps) {
    this.authority = new URL(deps.url).origin;
    this.#session = session;
    this.#destroy = destroy;
    this.transport = createGrpcTransport({
      baseUrl: this.authority,
      sessionManager: this,
      readMaxBytes: answerBytesMax,
      acceptCompression: [],
    });
    keepPinging(session, deps.options, deps.clock);
  }

  /**
   * Connects, and waits until the other side has shown that it speaks HTTP/2.
   *
   * @throws {RaftError} RAFT_UNREACHABLE; RAFT_WRONG_NODE when its certificate is not that of the peer
   */
  static async open(deps: PeerConnectionDeps): Promise<PeerConnection> {
    const { peer, url, options, tls, verifyPeer, clock, signal } = deps;
    const ready = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const fail = (why: string, cause?: unknown): void =>
      ready.reject(
        new RaftError("RAFT_UNREACHABLE", `expected to reach ${peer} at ${url}, got ${why}`, { cause }),
      );
    const session = http2.connect(url, {
      minVersion: "TLSv1.3",
      ...tls,
      settings: { enablePush: false },
    });
    let socket: Socket | undefined;
    const destroy = (): Promise<void> => {
      session.destroy();
      // A session that ended in good order waits for the peer to let go of the socket, which a hung one never does.
      socket?.destroy();
      return closed.promise;
    };
    const onAbort = (): void => void destroy();
    const timer = clock.setTimeout(() => {
      fail(`no HTTP/2 within ${options.connectTimeoutMs} ms`);
      session.destroy();
    }, options.connectTimeoutMs);
    session.once("connect", (_, connected) => {
      socket = connected;
    });
    session.once("remoteSettings", () => ready.resolve());
    // Later errors reach the streams on the connection too, and their readers report them.
    session.on("error", (error) => fail(error.message, error));
    session.once("close", () => {
      signal.removeEventListener("abort", onAbort);
      closed.resolve();
      fail("a connection that was closed");
    });
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    try {
      await ready.promise;
      assertCertificate(verifyPeer, certificateOf(session), peer);
      return new PeerConnection(session, destroy, deps);
    } catch (error) {
      await destroy();
      throw error;
    } finally {
      timer.cancel();
    }
  }

  /** Calls back when the peer asks in good order to move to another connection; what is open may end in peace. */
  onGoAway(callback: () => void): void {
    this.#session.on("goaway", (code) => {
      if (code === http2.constants.NGHTTP2_NO_ERROR) callback();
    });
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
  close(): Promise<void> {
    return this.#destroy();
  }
}
