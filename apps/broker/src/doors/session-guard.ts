import type { Http2Server, Http2Session, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { AddressLimit } from "./address-limit.ts";

/** Limits on connections and what they may do (R31). Times in milliseconds. */
export interface SessionLimits {
  /** Connections from one address. */
  readonly connectionsPerAddressMax: number;
  /** How often a connection is pinged. */
  readonly pingIntervalMs: number;
  /** How long an answer to a ping may take before the connection is closed. */
  readonly pingTimeoutMs: number;
  /** How long a connection may be without a stream. */
  readonly idleMs: number;
  /** How old a connection may get, give or take a tenth, before it is asked to go. */
  readonly ageMs: number;
  /** How long the streams of a connection may live on after it was asked to go. */
  readonly ageGraceMs: number;
  /** How long a peer may keep its side of a connection open that has ended; up to twice as long. */
  readonly lingerMs: number;
  /** Streams that may end abnormally within ten seconds. */
  readonly resetsMax: number;
}

/** The limits of R31 and, for resets, of what a good client never does. */
export const sessionLimits: Omit<SessionLimits, "connectionsPerAddressMax"> = {
  pingIntervalMs: 20_000,
  pingTimeoutMs: 10_000,
  idleMs: 10_000,
  ageMs: 3_600_000,
  ageGraceMs: 300_000,
  lingerMs: 500,
  resetsMax: 200,
};

const resetWindowMs = 10_000;

/** Watches every session of an HTTP/2 server and ends those that are too many, silent, idle, old or abusive. */
export class SessionGuard {
  readonly #limits: SessionLimits;
  readonly #random: () => number;
  readonly #addresses: AddressLimit;
  readonly #sockets = new Map<string, Socket>();
  /** With the remote end of each. */
  readonly #sessions = new Map<ServerHttp2Session, string>();
  /** Looks for sessions that have ended and whose peer has not let go; set while there are sessions. */
  #sweep: NodeJS.Timeout | undefined;
  #ended: ReadonlySet<ServerHttp2Session> = new Set();

  /** @param random - a number from 0 to 1, to spread maximum ages */
  constructor(limits: SessionLimits, random: () => number) {
    this.#limits = limits;
    this.#random = random;
    this.#addresses = new AddressLimit(limits.connectionsPerAddressMax);
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  guard(server: Http2Server): void {
    server.on("connection", (socket) => this.#admit(socket));
    server.on("session", (session) => this.#watch(session));
    // Errors of sessions and their sockets are those of remote ends: they end the session, and nothing else.
    server.on("sessionError", () => {});
  }

  /** Asks all sessions to go: each ends when its streams have. */
  closeAll(): void {
    for (const session of this.#sessions.keys()) session.close();
  }

  /** Ends all connections now. */
  destroyAll(): void {
    for (const session of this.#sessions.keys()) session.destroy();
    // A session that was asked to go before leaves its socket to the peer.
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  #admit(socket: Socket): void {
    if (!this.#addresses.admit(socket)) return;
    const end = remoteEnd(socket);
    this.#sockets.set(end, socket);
    socket.once("close", () => this.#sockets.delete(end));
  }

  #watch(session: ServerHttp2Session): void {
    const { pingIntervalMs, ageMs, ageGraceMs, lingerMs } = this.#limits;
    this.#sessions.set(session, remoteEnd(session.socket));
    this.#sweep ??= setInterval(() => this.#endLingering(), lingerMs).unref();
    const ping = setInterval(() => this.#ping(session), pingIntervalMs).unref();
    let age = setTimeout(
      () => {
        session.close();
        age = setTimeout(() => session.destroy(), ageGraceMs).unref();
      },
      ageMs * (0.9 + 0.2 * this.#random()),
    ).unref();
    const watched = new WatchedStreams(session, this.#limits);
    session.on("stream", (stream) => watched.opened(stream));
    session.once("close", () => {
      clearInterval(ping);
      clearTimeout(age);
      watched.close();
      this.#sessions.delete(session);
      if (this.#sessions.size > 0) return;
      clearInterval(this.#sweep);
      this.#sweep = undefined;
    });
  }

  /** A session that ends in good order waits for its peer to close the connection: some never do. */
  #endLingering(): void {
    const ended = new Set<ServerHttp2Session>();
    for (const [session, end] of this.#sessions) {
      if (!session.destroyed) continue;
      if (this.#ended.has(session)) this.#sockets.get(end)?.destroy();
      else ended.add(session);
    }
    this.#ended = ended;
  }

  #ping(session: Http2Session): void {
    if (session.destroyed) return;
    // A session that ends meanwhile is destroyed again, which does nothing.
    const timeout = setTimeout(() => session.destroy(), this.#limits.pingTimeoutMs).unref();
    const isSent = session.ping((error) => {
      if (error === null) clearTimeout(timeout);
    });
    // Too many pings are out already: whoever answers none of them is silent.
    if (!isSent) session.destroy();
  }
}

/** What tells a connection from all others that are open. */
function remoteEnd({ remoteAddress, remotePort }: Pick<Socket, "remoteAddress" | "remotePort">): string {
  return `${remoteAddress} ${remotePort}`;
}

/** The streams of one session. */
class WatchedStreams {
  readonly #session: ServerHttp2Session;
  readonly #limits: SessionLimits;
  #open = 0;
  #idle: NodeJS.Timeout | undefined;
  #resets = 0;
  #resetsSinceMs = 0;

  constructor(session: ServerHttp2Session, limits: SessionLimits) {
    this.#session = session;
    this.#limits = limits;
    this.#startIdle();
  }

  opened(stream: ServerHttp2Stream): void {
    this.#open++;
    clearTimeout(this.#idle);
    // Errors end their stream; the handler of the call learns of it by its signal.
    stream.on("error", () => {});
    stream.once("close", () => this.#closed(stream));
  }

  close(): void {
    clearTimeout(this.#idle);
  }

  #closed(stream: ServerHttp2Stream): void {
    if (--this.#open === 0) this.#startIdle();
    if (stream.rstCode === 0) return;
    const nowMs = performance.now();
    if (nowMs - this.#resetsSinceMs > resetWindowMs) {
      this.#resets = 0;
      this.#resetsSinceMs = nowMs;
    }
    if (++this.#resets > this.#limits.resetsMax) this.#session.destroy();
  }

  #startIdle(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#session.close(), this.#limits.idleMs).unref();
  }
}
